'use client';

import { useEffect, useState } from 'react';

/** Bring the styles along. Returns whether they are there; until then, nothing should be shown. */
export function useStyles(): boolean {
  const [isStyled, setStyled] = useState(false);
  useEffect(() => {
    // Words without looks are better than none, so a failure shows them too.
    const show = (): void => setStyled(true);
    import('./styles.js').then(({ adoptStyles }) => adoptStyles()).then(show, show);
  }, []);
  return isStyled;
}
