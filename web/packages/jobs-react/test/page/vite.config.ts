import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vite';

import { asReact18 } from '../react-18.js';

/** `--mode react-18` builds the page with that version. */
export default defineConfig(({ mode }) => ({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  esbuild: { jsx: 'automatic' },
  // As in development: only there does StrictMode mount everything twice.
  define: { 'process.env.NODE_ENV': '"development"' },
  resolve: { alias: mode === 'react-18' ? asReact18 : [] },
}));
