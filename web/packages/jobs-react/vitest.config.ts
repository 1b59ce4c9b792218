import { fileURLToPath } from 'node:url';

import type { Alias } from 'vite';
import { defineConfig } from 'vitest/config';

import { applicationPaths, quickstartExamples } from './examples/quickstart/as-written.js';
import { asReact18 } from './test/react-18.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Testing Library as modules, whose imports can be replaced, rather than as CommonJS. */
const testingLibrary: Alias = {
  find: '@testing-library/react',
  replacement: here('../../node_modules/@testing-library/react/dist/@testing-library/react.esm.js'),
};

const shared = {
  environment: 'jsdom' as const,
  setupFiles: ['test/setup.ts'],
  testTimeout: 20_000,
};

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [quickstartExamples],
        resolve: { alias: applicationPaths },
        test: { ...shared, name: 'react-19', include: ['test/**/*.test.{ts,tsx}'] },
      },
      {
        plugins: [quickstartExamples],
        resolve: { alias: [...applicationPaths, ...asReact18, testingLibrary] },
        test: {
          ...shared,
          name: 'react-18',
          // The core knows no React; once is enough for it.
          include: ['test/**/*.test.tsx'],
          server: { deps: { inline: ['@testing-library/react'] } },
        },
      },
    ],
  },
});
