import { expect, it } from 'vitest';

import { rolesOf } from '../src/shell/server';

it.each([
  [{ properties: { targetRole: { type: 'string', examples: ['Nurse', 3] } } }, ['Nurse']],
  [{ properties: { targetRole: { anyOf: [{ type: 'null' }, { examples: ['Nurse'] }] } } }, ['Nurse']],
  [{ properties: {} }, []],
  [null, []],
])('finds the roles to suggest in the schema %j', (schema, roles) => {
  expect(rolesOf(schema)).toEqual(roles);
});
