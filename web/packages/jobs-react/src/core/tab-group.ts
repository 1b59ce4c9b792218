/**
 * Which tabs share a connection: those of one browser profile and origin that would open the same
 * one, as the same person. The name holds a hash, so that no token shows where names are listed.
 */

/** Claims that say when and which token, rather than whose. */
const OF_ONE_TOKEN = ['iat', 'exp', 'nbf', 'jti', 'auth_time', 'nonce'];

/** The name of the group of everybody who connects to `url` as `userId` with `token`. */
export async function nameOfGroup(url: string, userId: string, token: string | null): Promise<string> {
  const identity = new TextEncoder().encode(JSON.stringify([url, userId, personIn(token)]));
  const hash = new Uint32Array(await crypto.subtle.digest('SHA-256', identity));
  return `careerlens:jobs:2:${hash.join('-')}`;
}

/** What stays the same when a token is renewed: a JWT's claims about the person, else the token. */
function personIn(token: string | null): unknown {
  const payload = token?.split('.')[1];
  if (payload === undefined) return token;
  try {
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as object;
    return Object.entries(claims)
      .filter(([name]) => !OF_ONE_TOKEN.includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  } catch {
    return token;
  }
}
