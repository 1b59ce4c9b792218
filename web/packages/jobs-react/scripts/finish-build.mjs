// What the compiler leaves undone: ships the styles that the component brings along as a file too,
// for applications that link them, takes the white space out of those in the code, into which no
// application's bundler looks, and shortens the names that end in `_`: those of properties that
// only this package uses, which no application's bundler can tell from others.
import { readdir, readFile, writeFile } from 'node:fs/promises';

import { transform } from 'esbuild';

import { STYLES } from '../dist/react/styles.js';

const dist = new URL('../dist/', import.meta.url);
const INTERNAL = /\b[a-zA-Z]+_\b/g;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

await writeFile(new URL('styles.css', dist), STYLES);
const { code } = await transform(STYLES, { loader: 'css', minify: true });
await writeFile(new URL('react/styles.js', dist), `export const STYLES = ${JSON.stringify(code.trim())};\n`);

const scripts = new Map();
for (const path of (await readdir(dist, { recursive: true })).sort()) {
  if (path.endsWith('.js')) scripts.set(path, await readFile(new URL(path, dist), 'utf8'));
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
