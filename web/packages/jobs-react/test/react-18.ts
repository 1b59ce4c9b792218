import { createRequire } from 'node:module';
import { dirname } from 'node:path';

import type { Alias } from 'vite';

const react18 = createRequire(new URL('../../react-18-check/package.json', import.meta.url));

/** React 18 in place of the installed one; subpaths such as `react/jsx-runtime` follow. */
export const asReact18: Alias[] = ['react', 'react-dom'].map((name) => ({
  find: new RegExp(`^${name}(?=/|$)`),
  replacement: dirname(react18.resolve(`${name}/package.json`)),
}));
