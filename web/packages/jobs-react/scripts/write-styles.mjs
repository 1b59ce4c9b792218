// Ships the styles that the component brings along as a file too, for applications that link them,
// and takes the white space out of those in the code: no application's bundler looks into a string.
import { writeFile } from 'node:fs/promises';

import { transform } from 'esbuild';

import { STYLES } from '../dist/react/styles.js';

await writeFile(new URL('../dist/styles.css', import.meta.url), STYLES);
const { code } = await transform(STYLES, { loader: 'css', minify: true });
await writeFile(new URL('../dist/react/styles.js', import.meta.url), `export const STYLES = ${JSON.stringify(code.trim())};\n`);
