'use client';

import { useEffect, useState } from 'react';

/** Bring the styles along. Returns whether they are there; until then, nothing should be shown. */
export function useStyles(): boolean {
  const [isStyled, setStyled] = useState(false);
  useEffect(() => {
    // Words without looks are better than none, so a failure shows them too.
    const show = (): void => setStyled(true);
    import('./styles.js').then(({ STYLES }) => adopt(STYLES)).then(show, show);
  }, []);
  return isStyled;
}

let adopted = false;

/**
 * Give the document our styles, once, unless it has linked `styles.css`. A constructed sheet is
 * what a `style-src 'self'` policy allows.
 */
function adopt(styles: string): void {
  if (adopted || getComputedStyle(document.documentElement).getPropertyValue('--careerlens-jobs-styles')) return;
  adopted = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  // First, so that the application's own constructed sheets come after it and win.
  document.adoptedStyleSheets.unshift(sheet);
}
