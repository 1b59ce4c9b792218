import { useCallback, useState, useSyncExternalStore } from 'react';

import { local, readStored, writeStored } from './storage';

export type Theme = 'light' | 'dark';

/** The same key is read by `public/theme.js` before the first paint. */
const KEY = 'careerlens:theme';

const darkQuery = (): MediaQueryList => window.matchMedia('(prefers-color-scheme: dark)');

function subscribeToSystem(listener: () => void): () => void {
  const query = darkQuery();
  query.addEventListener('change', listener);
  return () => {
    query.removeEventListener('change', listener);
  };
}

function remembered(): Theme | null {
  const value = readStored(local, KEY);
  return value === 'light' || value === 'dark' ? value : null;
}

/** The theme in force: the reader's choice if one was made, the system's otherwise. */
export function useTheme(): { theme: Theme; toggle: () => void } {
  const system = useSyncExternalStore<Theme>(
    subscribeToSystem,
    () => (darkQuery().matches ? 'dark' : 'light'),
    () => 'light',
  );
  const [chosen, setChosen] = useState<Theme | null>(remembered);
  const theme = chosen ?? system;

  const toggle = useCallback(() => {
    const next: Theme = theme === 'dark' ? 'light' : 'dark';
    // Choosing what the system wants anyway means following it again.
    const choice = next === system ? null : next;
    writeStored(local, KEY, choice);
    if (choice === null) delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = choice;
    setChosen(choice);
  }, [theme, system]);

  return { theme, toggle };
}
