'use client';

import { useInsertionEffect } from './react.js';
import { STYLES } from './styles.js';

let adopted = false;

/**
 * Give the document our styles, once, before anything is painted, unless it has linked
 * `styles.css`. A constructed sheet is what a `style-src 'self'` policy allows.
 */
export function useStyles(): void {
  useInsertionEffect(() => {
    const linked = getComputedStyle(document.documentElement).getPropertyValue('--clj-linked');
    if (adopted || linked || !document.adoptedStyleSheets) return;
    adopted = true;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    // First, so that the application's own constructed sheets come after it and win.
    document.adoptedStyleSheets.unshift(sheet);
  }, []);
}
