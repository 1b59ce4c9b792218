import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Where `npm run dev` finds a running API; `careerlens run` serves the built page itself. */
const api = process.env['CAREERLENS_API'] ?? 'http://localhost:3000';

export default defineConfig({
  plugins: [react()],
  build: {
    // The API serves this folder, and the wheel carries it.
    outDir: fromHere('../../../src/careerlens/api/static'),
    emptyOutDir: true,
    // The page's content security policy allows no data: fonts or scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    target: 'es2022',
  },
  server: { proxy: { '/api': api, '/health': api } },
  test: { environment: 'node', include: ['test/**/*.test.ts'] },
});
