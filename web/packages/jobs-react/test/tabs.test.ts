import { expect, it, onTestFinished, vi } from 'vitest';

import { loadState, replaceState } from '../src/core/storage.js';
import { nameOfGroup } from '../src/core/tab-group.js';
import type { Backend } from './backend.js';
import { eventually, openPage, startBackend, type Page } from './harness.js';
import { installLocks } from './locks.js';

function live(...pages: Page[]): Promise<void> {
  return eventually(() => {
    for (const page of pages) expect(page.client.getSnapshot().status).toBe('live');
  });
}

function jwt(claims: object): string {
  return ['{"alg":"none"}', JSON.stringify(claims), 'signature'].map((part) => btoa(part)).join('.');
}

/** Two tabs of one user, the second following the first. */
async function twoTabs(backend: Backend): Promise<[Page, Page]> {
  const first = openPage(backend, { token: 'jwt-token' });
  await live(first);
  const second = openPage(backend, { token: 'jwt-token' });
  await live(second);
  return [first, second];
}

it('two tabs of one user have one socket, and each hears every event once', async () => {
  installLocks();
  const backend = await startBackend();
  const [first, second] = await twoTabs(backend);
  const jobId = await second.client.createJob({ type: 'resume-optimization' });
  for (const percent of [20, 40, 60]) backend.progress(jobId, percent);
  backend.complete(jobId, 'report');
  const all = ['progress 20', 'progress 40', 'progress 60', 'complete "report"'];
  await eventually(() => expect([first.heard, second.heard]).toEqual([all, all]));
  expect(backend.openSockets).toBe(1);
  expect(backend.handshakes).toHaveLength(1);
});

it('when the leading tab closes, another takes over where it was', async () => {
  installLocks();
  const backend = await startBackend();
  const [first, second] = await twoTabs(backend);
  const third = openPage(backend, { token: 'jwt-token' });
  await live(third);
  const jobId = await first.client.createJob({ type: 'resume-optimization' });
  backend.progress(jobId, 20);
  await eventually(() => expect(third.heard).toEqual(['progress 20']));
  first.leave();
  await eventually(() => expect(backend.handshakes).toHaveLength(2));
  for (const percent of [40, 60, 80]) backend.progress(jobId, percent);
  backend.complete(jobId, 'report');
  const all = ['progress 20', 'progress 40', 'progress 60', 'progress 80', 'complete "report"'];
  await eventually(() => expect([second.heard, third.heard]).toEqual([all, all]));
  expect(backend.openSockets).toBe(1);
});

it('what happens between two leaders is heard once by everybody', async () => {
  installLocks();
  const backend = await startBackend();
  const [first, second] = await twoTabs(backend);
  const jobId = await first.client.createJob({ type: 'resume-optimization' });
  const expected: string[] = [];
  for (let percent = 1; percent <= 40; percent += 1) {
    backend.progress(jobId, percent);
    expected.push(`progress ${percent}`);
    if (percent === 20) first.leave();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => expect(second.heard).toEqual(expected));
});

it('the lock of a tab that has fallen silent is taken by force', async () => {
  const locks = installLocks();
  const backend = await startBackend();
  const group = await nameOfGroup(backend.socketUrl, backend.user, 'jwt-token');
  // A frozen tab: it has the lock, and answers nobody.
  const frozen = locks.request(group, {}, () => new Promise(() => undefined));
  const robbed = expect(frozen).rejects.toThrow();
  const page = openPage(backend, { token: 'jwt-token' });
  await live(page);
  await robbed;
});

it('a leader whose lock was taken follows whoever has it, and misses nothing', async () => {
  const locks = installLocks();
  const backend = await startBackend();
  const [first, second] = await twoTabs(backend);
  const jobId = await first.client.createJob({ type: 'resume-optimization' });
  backend.progress(jobId, 10);
  await eventually(() => expect([first.heard, second.heard]).toEqual([['progress 10'], ['progress 10']]));
  const group = await nameOfGroup(backend.socketUrl, backend.user, 'jwt-token');
  await locks.request(group, { steal: true }, () => undefined);
  await eventually(() => expect(backend.handshakes).toHaveLength(2));
  backend.progress(jobId, 20);
  const all = ['progress 10', 'progress 20'];
  await eventually(() => expect([first.heard, second.heard]).toEqual([all, all]));
  await live(first, second);
  expect(backend.openSockets).toBe(1);
});

it.each([
  ['different people', (user: string) => ({ token: jwt({ sub: user }), userId: `${user}-other` })],
  ['different tokens of one user', () => ({ token: 'another-token' })],
])('%s do not share', async (_, other) => {
  installLocks();
  const backend = await startBackend();
  const first = openPage(backend, { token: jwt({ sub: backend.user }) });
  const second = openPage(backend, other(backend.user));
  await live(first, second);
  expect(backend.openSockets).toBe(2);
});

it('tokens of one person that differ in their times alone share', async () => {
  installLocks();
  const backend = await startBackend();
  const token = (exp: number): string => jwt({ sub: backend.user, exp, jti: String(exp) });
  const first = openPage(backend, { token: () => token(1_900_000_000) });
  const second = openPage(backend, { token: () => token(1_900_003_600) });
  await live(first, second);
  expect(backend.openSockets).toBe(1);
});

it('a tab that missed more than the leader remembers is given it all, and nobody hears it twice', async () => {
  installLocks();
  const backend = await startBackend();
  const before = openPage(backend, { token: 'jwt-token' });
  await live(before);
  const jobId = await before.client.createJob({ type: 'resume-optimization' });
  backend.progress(jobId, 10);
  await eventually(() => expect(before.heard).toEqual(['progress 10']));
  before.leave();
  await eventually(() => expect(backend.openSockets).toBe(0));
  const old = loadState(backend.user);
  for (const percent of [20, 30]) backend.progress(jobId, percent);
  const first = openPage(backend, { token: 'jwt-token' });
  await eventually(() => expect(first.heard).toEqual(['progress 20', 'progress 30']));
  await eventually(() => expect(loadState(backend.user).lastEventId).not.toBe(old.lastEventId));

  replaceState(backend.user, old);
  const second = openPage(backend, { token: 'jwt-token' });
  await live(second);
  backend.progress(jobId, 40);
  const all = ['progress 20', 'progress 30', 'progress 40'];
  await eventually(() => expect([first.heard, second.heard]).toEqual([all, all]));
  expect(backend.openSockets).toBe(1);
});

it('a place that the server no longer keeps concerns the tab that has it alone', async () => {
  installLocks();
  const backend = await startBackend();
  const before = openPage(backend, { token: 'jwt-token' });
  await live(before);
  const jobId = await before.client.createJob({ type: 'resume-optimization' });
  backend.progress(jobId, 10);
  await eventually(() => expect(before.heard).toEqual(['progress 10']));
  before.leave();
  await eventually(() => expect(backend.openSockets).toBe(0));
  const old = loadState(backend.user);
  backend.trimFeed();
  backend.progress(jobId, 20);
  const first = openPage(backend, { token: 'jwt-token' });
  await live(first);
  backend.progress(jobId, 30);
  await eventually(() => expect(first.heard.at(-1)).toBe('progress 30'));
  await eventually(() => expect(loadState(backend.user).lastEventId).not.toBe(old.lastEventId));

  replaceState(backend.user, old);
  const second = openPage(backend, { token: 'jwt-token' });
  await eventually(() => expect(backend.handshakes).toHaveLength(4));
  backend.progress(jobId, 40);
  await eventually(() => expect(first.heard.slice(-2)).toEqual(['progress 30', 'progress 40']));
  backend.complete(jobId, 'report');
  await eventually(() => expect(second.heard.at(-1)).toBe('complete "report"'));
  await eventually(() => expect(first.heard.slice(-2)).toEqual(['progress 40', 'complete "report"']));
  expect(new Set(first.heard).size).toBe(first.heard.length);
});

it('a word of the leader that is lost on its way is asked for', async () => {
  installLocks();
  const backend = await startBackend();
  const [first, second] = await twoTabs(backend);
  const jobId = await first.client.createJob({ type: 'resume-optimization' });
  backend.progress(jobId, 10);
  await eventually(() => expect(second.heard).toEqual(['progress 10']));

  const post = BroadcastChannel.prototype.postMessage;
  const losing = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(function (this: BroadcastChannel, message: unknown) {
    if ((message as { update?: { progress?: { percent: number } } }).update?.progress?.percent !== 20) post.call(this, message);
  });
  onTestFinished(() => losing.mockRestore());
  backend.progress(jobId, 20);
  backend.progress(jobId, 30);
  const all = ['progress 10', 'progress 20', 'progress 30'];
  await eventually(() => expect([first.heard, second.heard]).toEqual([all, all]));
});

it('a tab whose token is refused lets another one lead', async () => {
  installLocks();
  const backend = await startBackend();
  backend.accepts = (token) => token?.endsWith('good') === true;
  const payload = btoa(JSON.stringify({ sub: backend.user }));
  const bad = openPage(backend, { token: `head.${payload}.bad` });
  await eventually(() => expect(bad.client.getSnapshot().status).toBe('unauthorized'));
  const good = openPage(backend, { token: `head.${payload}.good` });
  await live(good);
});

it('a new token of another person leaves the group of the old one', async () => {
  installLocks();
  const backend = await startBackend();
  let token = jwt({ sub: backend.user, role: 'guest' });
  const page = openPage(backend, { token });
  await live(page);
  const { JobsClient } = await import('../src/core/client.js');
  const client = new JobsClient({ userId: backend.user, apiUrl: backend.apiUrl });
  onTestFinished(client.retain(() => token));
  await eventually(() => expect(client.getSnapshot().status).toBe('live'));
  expect(backend.openSockets).toBe(1);
  token = jwt({ sub: backend.user, role: 'member' });
  client.tokenChanged();
  await eventually(() => expect(backend.openSockets).toBe(2));
  await eventually(() => expect(client.getSnapshot().status).toBe('live'));
});
