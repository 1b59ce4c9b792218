// Writes the TypeScript types of every job's input and result from the API's OpenAPI document on
// standard input. With `--print`, to standard output instead of the file.
import { writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

import openapiTS, { astToString } from 'openapi-typescript';

const PREFIX = '#/components/schemas/';
const HEADER = '// Written by `npm run generate`, from the OpenAPI document of the API. Not to be edited.\n\n';

const document = JSON.parse(await text(process.stdin));
// Titles repeat the names of the properties.
const { schemas } = JSON.parse(
  JSON.stringify(document.components, (key, value) => (key === 'title' && typeof value === 'string' ? undefined : value)),
);

/** The schemas that `name` is made of, itself included. */
function reachable(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  JSON.stringify(schemas[name], (key, value) => {
    if (key === '$ref') reachable(value.slice(PREFIX.length), found);
    return value;
  });
  return found;
}

const needed = Object.fromEntries([...reachable('JobTypes')].sort().map((name) => [name, schemas[name]]));
const types = await openapiTS(
  { openapi: document.openapi, info: document.info, paths: {}, components: { schemas: needed } },
  { exportType: false, defaultNonNullable: false, immutable: true },
);
const components = types.filter((node) => node.name?.text === 'components');
const source = HEADER + astToString(components);
if (process.argv.includes('--print')) process.stdout.write(source);
else await writeFile(new URL('../src/core/job-types.generated.ts', import.meta.url), source);
