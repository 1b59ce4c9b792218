import { describe, expect, it } from 'vitest';

import { identityFromToken, TokenProblem } from '../src/shell/identity';

const NOW = Date.UTC(2026, 0, 1);

function token(claims: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

describe('a pasted token', () => {
  it('names its user by either claim, with any letters', () => {
    expect(identityFromToken(token({ userId: 'zoë', sub: 'other' }), NOW).userId).toBe('zoë');
    expect(identityFromToken(token({ sub: 'ada' }), NOW).userId).toBe('ada');
  });

  it('may come with its scheme and blanks around it', () => {
    const good = token({ sub: 'ada' });
    expect(identityFromToken(` Bearer ${good}\n`, NOW).authToken).toBe(good);
  });

  it.each([
    ['', /Paste a token/],
    ['secret', /three parts/],
    ['a.b.c', /cannot be read/],
    [token({ exp: 1 }), /names no user/],
    [token({ sub: 'ada', exp: NOW / 1000 - 1 }), /expired/],
  ])('is refused in words when it is %j', (pasted, words) => {
    expect(() => identityFromToken(pasted, NOW)).toThrow(TokenProblem);
    expect(() => identityFromToken(pasted, NOW)).toThrow(words);
  });
});
