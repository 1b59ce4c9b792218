// What the compiler leaves undone: ships the styles that the component brings along as a file too,
// for applications that link them, takes the white space out of those in the code, into which no
// application's bundler looks, writes each wait as the number it is, which tests alone change,
// brings React's JSX in once, and shortens the names that end in `_`: those of properties that only
// this package uses, which no application's bundler can tell from others.
import { readdir, readFile, writeFile } from 'node:fs/promises';

import { transform } from 'esbuild';

import { timings } from '../dist/core/timings.js';
import { STYLES } from '../dist/react/styles.js';

const dist = new URL('../dist/', import.meta.url);
const INTERNAL = /\b[a-zA-Z]+_\b/g;
// Those that are frequent in code first, so that what is written often compresses well.
const LETTERS = 'etnrsilcdoagpuSEyvmkAMLPbfhjqwxzBCDFGHIJKNOQRTUVWXYZ';

await writeFile(new URL('styles.css', dist), STYLES);
const { code } = await transform(STYLES, { loader: 'css', minify: true });
// In the values of variables white space might count; in those of ours it does not.
const tight = code.trim().replaceAll(/([:,]) /g, '$1');
await writeFile(new URL('react/styles.js', dist), `export const STYLES = ${JSON.stringify(tight)};\n`);

const scripts = new Map();
for (const path of (await readdir(dist, { recursive: true })).sort()) {
  if (!path.endsWith('.js')) continue;
  const text = await readFile(new URL(path, dist), 'utf8');
  const inlined = text.replace(/\btimings\.(\w+_)\b/g, (_, name) => timings[name]);
  scripts.set(path, path.endsWith('/react.js') ? inlined : inlined.replace('"react/jsx-runtime"', '"./react.js"'));
}
const uses = new Map();
for (const [name] of [...scripts.values()].join('\n').matchAll(INTERNAL)) uses.set(name, (uses.get(name) ?? 0) + 1);
const names = [...uses.keys()].sort((a, b) => uses.get(b) - uses.get(a));
const mangleCache = Object.fromEntries(
  names.map((name, at) => [name, (LETTERS[Math.floor(at / LETTERS.length) - 1] ?? '') + LETTERS[at % LETTERS.length]]),
);
for (const [path, text] of scripts) {
  const { code } = await transform(text, { mangleProps: /_$/, mangleCache, target: 'es2022', charset: 'utf8' });
  await writeFile(new URL(path, dist), code.replace(/^"use client";/, "'use client';"));
}
