import { expect, it, onTestFinished } from 'vitest';

import { JobsClient } from '../src/core/client.js';
import { eventually, openPage, startBackend } from './harness.js';

/** Hands out `token-1`, `token-2`, … */
function tokens(): { readonly next: () => Promise<string>; readonly count: () => number } {
  let count = 0;
  return {
    next: () => {
      count += 1;
      return Promise.resolve(`token-${count}`);
    },
    count: () => count,
  };
}

it('each connection asks for a fresh token', async () => {
  const backend = await startBackend();
  const page = openPage(backend, { token: tokens().next });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.cutSockets();
  await eventually(() => expect(backend.handshakes).toHaveLength(2));
  const [first, second] = backend.handshakes.map(({ token }) => token);
  expect(first).toMatch(/^token-/);
  expect(second).toMatch(/^token-/);
  expect(second).not.toBe(first);
});

it('a connection that the server ends, as with an expired token, comes back with a fresh one', async () => {
  const backend = await startBackend();
  const page = openPage(backend, { token: tokens().next });
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.dismissSockets();
  await eventually(() => expect(backend.openSockets).toBe(1));
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 10);
  await eventually(() => expect(page.heard).toEqual(['progress 10']));
  expect(backend.handshakes.at(-1)?.token).not.toBe(backend.handshakes[0]?.token);
});

it('a token about to expire is renewed in place, without a new connection', async () => {
  const backend = await startBackend();
  const page = openPage(backend, { token: tokens().next });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.emitToAll('token:expiring', { expiresAt: Date.now() + 60_000 });
  await eventually(() => expect(backend.renewals).toHaveLength(1));
  expect(backend.renewals[0]).not.toBe(backend.handshakes[0]?.token);
  expect(backend.handshakes).toHaveLength(1);
});

it('a token that is handed out until shortly before its end is asked for again', async () => {
  const backend = await startBackend();
  let token = 'old';
  let asked = 0;
  const page = openPage(backend, {
    token: () => {
      asked += 1;
      return token;
    },
  });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.emitToAll('token:expiring', { expiresAt: Date.now() + 60_000 });
  const before = asked;
  await eventually(() => expect(asked).toBeGreaterThan(before + 2));
  expect(backend.renewals).toEqual([]);
  token = 'new';
  await eventually(() => expect(backend.renewals).toEqual(['new']));
});

it('a token that expired on the way is asked for once more, and the request is repeated', async () => {
  const backend = await startBackend();
  const given = tokens();
  const page = openPage(backend, { token: given.next });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  const stale = `token-${given.count() + 1}`;
  backend.accepts = (token) => token !== stale;
  await expect(page.client.createJob({ type: 'resume-optimization' })).resolves.toContain(backend.user);
  expect(backend.requestsTo('POST', /jobs$/).map((r) => r.headers.authorization)).toEqual([
    `Bearer ${stale}`,
    `Bearer token-${given.count()}`,
  ]);
});

it('a refused fixed token stops all asking until there is another one', async () => {
  const backend = await startBackend();
  backend.accepts = (token) => token === 'good';
  let token = 'bad';
  const client = new JobsClient({ userId: backend.user, apiUrl: backend.apiUrl });
  onTestFinished(client.retain(() => token));
  await eventually(() => expect(client.getSnapshot().status).toBe('unauthorized'));
  expect(client.getSnapshot().error).toMatchObject({ status: 401, code: 'unauthenticated' });
  const attempts = backend.handshakes.length;
  const requests = backend.requests.length;

  // Long enough for several polls and reconnections, had they not stopped.
  const other = openPage(backend, { userId: `${backend.user}-other`, token: 'good' });
  await eventually(() => expect(other.client.getSnapshot().status).toBe('live'));
  expect(backend.handshakes.length).toBe(attempts + 1);
  expect(backend.requestsTo('GET', /^\/api\/jobs$/).length - requests).toBeLessThanOrEqual(1);

  token = 'good';
  client.tokenChanged();
  await eventually(() => expect(client.getSnapshot()).toMatchObject({ status: 'live', error: null }));
});

it('a new fixed token reaches an open connection', async () => {
  const backend = await startBackend();
  let token = 'first';
  const client = new JobsClient({ userId: backend.user, apiUrl: backend.apiUrl });
  onTestFinished(client.retain(() => token));
  await eventually(() => expect(client.getSnapshot().status).toBe('live'));
  token = 'second';
  client.tokenChanged();
  client.tokenChanged();
  await eventually(() => expect(backend.renewals).toEqual(['second']));
});

it('a token function that fails is tried again, and its reason is shown meanwhile', async () => {
  const backend = await startBackend();
  let isOffline = true;
  const page = openPage(backend, {
    token: () => (isOffline ? Promise.reject(new Error('no network')) : Promise.resolve('good')),
  });
  await eventually(() =>
    expect(page.client.getSnapshot().error).toMatchObject({ code: 'token_unavailable', detail: 'no network' }),
  );
  await expect(page.client.createJob({ type: 'resume-optimization' })).rejects.toMatchObject({
    code: 'token_unavailable',
  });
  isOffline = false;
  await eventually(() => expect(page.client.getSnapshot()).toMatchObject({ status: 'live', error: null }));
});
