// Ships the styles that the component brings along as a file too, for applications that link them.
import { writeFile } from 'node:fs/promises';

import { STYLES } from '../dist/react/styles.js';

await writeFile(new URL('../dist/styles.css', import.meta.url), STYLES);
