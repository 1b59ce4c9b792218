import { useEffect, useRef, type RefObject } from 'react';

/** Whether a page was shown before this one, since the browser loaded the document. */
let hasShownAPage = false;

/**
 * Makes arriving at a page of ours feel like arriving at a document: at its top, with its title, and
 * with the focus on its heading. The very first page keeps the browser's own focus and scroll.
 */
export function useArrival(title: string): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = title === '' ? 'CareerLens' : `${title} – CareerLens`;
  }, [title]);
  useEffect(() => {
    if (hasShownAPage) {
      window.scrollTo(0, 0);
      heading.current?.focus({ preventScroll: true });
    }
    hasShownAPage = true;
  }, []);
  return heading;
}
