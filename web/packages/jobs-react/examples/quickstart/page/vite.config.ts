import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vite';

import { applicationPaths, quickstartExamples } from '../as-written.js';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  plugins: [quickstartExamples],
  resolve: { alias: applicationPaths },
  esbuild: { jsx: 'automatic' },
});
