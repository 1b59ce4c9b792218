// @vitest-environment node
// Looks at what `npm run build` has made, which `npm test` does first.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

/** What comes out when an application that says `code` is bundled with the package as it is published. */
async function bundle(code: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: root },
    alias: { '@careerlens/jobs-react': `${root}/dist/index.js`, '@careerlens/jobs-react/core': `${root}/dist/core/index.js` },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    external: ['react', 'react/jsx-runtime', 'socket.io-client'],
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

function kilobytes(code: string): number {
  return gzipSync(code, { level: 9 }).length / 1_000;
}

const HOOKS = 'JobsProvider, useBackgroundJobs, useCreateJob, useJob, useJobStream';
const ERRORS = 'JobsApiError, JobFailedError, forgetStoredJobs';

// The budgets, in kB (1,000 bytes), compressed, without socket.io-client and React.
it('weighs at most 15.0 kB with all that it exports', async () => {
  const all = await bundle("export * from '@careerlens/jobs-react'");
  for (const part of ['BroadcastChannel', '/stream?live=sse', 'clj-card', 'socket.io-client']) expect(all).toContain(part);
  expect(kilobytes(all)).toBeLessThan(15);
});

it('weighs at most 11.6 kB with all that keeps jobs up to date: hooks, connection, tabs, polling, text', async () => {
  const hooks = await bundle(`export { ${HOOKS}, ${ERRORS} } from '@careerlens/jobs-react'`);
  for (const part of ['BroadcastChannel', '/stream?live=sse', 'socket.io-client']) expect(hooks).toContain(part);
  expect(hooks).not.toContain('clj-card');
  expect(kilobytes(hooks)).toBeLessThan(11.6);
});

it('weighs at most 13.6 kB with what the first example uses: one hook and the cards', async () => {
  const start = await bundle("export { JobProgressNotifications, useBackgroundJobs } from '@careerlens/jobs-react'");
  for (const part of ['BroadcastChannel', 'clj-card']) expect(start).toContain(part);
  expect(kilobytes(start)).toBeLessThan(13.6);
});

it('loads socket.io-client on demand only', async () => {
  const all = await bundle("export * from '@careerlens/jobs-react'; export * from '@careerlens/jobs-react/core'");
  expect(all).toContain('import("socket.io-client")');
  expect(all).not.toMatch(/from\s?"socket\.io-client"/);
});

it('ships the styles twice: to read and to link, and without white space in the code', async () => {
  const linked = await readFile(`${root}/dist/styles.css`, 'utf8');
  expect(linked).toContain('\n.clj-card {\n');
  const { STYLES } = (await import(`${root}/dist/react/styles.js`)) as { STYLES: string };
  expect(STYLES).toContain('.clj-card{');
  expect(STYLES.match(/\{/g)).toHaveLength(linked.match(/\{/g)?.length ?? 0);
});

it('shortens the names of what only the package itself uses', async () => {
  const all = await bundle("export * from '@careerlens/jobs-react'; export * from '@careerlens/jobs-react/core'");
  expect(all).not.toMatch(/\.[a-zA-Z]+_\b/);
  expect(all).not.toContain('lifeSign');
});

it('leaves out what an application does not use', async () => {
  const hook = await bundle("export { useBackgroundJobs } from '@careerlens/jobs-react'");
  expect(hook).not.toContain('clj-card');
  const core = await bundle("export { sharedClient } from '@careerlens/jobs-react/core'");
  expect(core).not.toMatch(/from"react/);
  const error = await bundle("export { JobsApiError } from '@careerlens/jobs-react'");
  expect(error).not.toContain('socket.io');
  expect(kilobytes(error)).toBeLessThan(1);
});

interface Packed {
  readonly files: readonly { readonly path: string }[];
}

it('publishes code and types that exist, the styles, and nothing else', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [packed] = JSON.parse(stdout) as Packed[];
  const paths = packed?.files.map(({ path }) => path) ?? [];
  const manifest = JSON.parse(await readFile(`${root}/package.json`, 'utf8')) as { exports: object };
  const promised = JSON.stringify(manifest.exports).match(/\.\/[\w./-]+\.(js|ts|css|json)/g) ?? [];
  for (const path of promised.filter((name) => !name.startsWith('./styles.css'))) {
    if (path !== './core' && path.startsWith('./dist')) expect(paths).toContain(path.slice(2));
  }
  expect(paths).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'dist/index.js', 'dist/styles.css']));
  const odd = paths.filter((path) => !/^(package\.json|README\.md|LICENSE|dist\/[\w./-]+\.(js|d\.ts|css))$/.test(path));
  expect(odd).toEqual([]);
});

it('says what it needs, and names no host', async () => {
  const text = await readFile(`${root}/package.json`, 'utf8');
  const manifest = JSON.parse(text) as Record<string, unknown>;
  expect(manifest['peerDependencies']).toEqual({ react: '^18.0.0 || ^19.0.0' });
  expect(Object.keys(manifest['dependencies'] as object)).toEqual(['socket.io-client']);
  expect(manifest).toMatchObject({ license: 'MIT', type: 'module', sideEffects: ['**/*.css'] });
  expect(manifest).not.toHaveProperty('private');
  expect(text).not.toContain('://');
});

it("says 'use client' where React's client hooks are used", async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [packed] = JSON.parse(stdout) as Packed[];
  const scripts = packed?.files.map(({ path }) => path).filter((path) => path.endsWith('.js')) ?? [];
  for (const path of scripts) {
    const code = await readFile(`${root}/${path}`, 'utf8');
    if (/\b(useState|useEffect|useSyncExternalStore|createContext)\b/.test(code)) {
      expect(code.startsWith("'use client';"), path).toBe(true);
    }
  }
});
