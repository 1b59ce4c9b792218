import { expect, it, onTestFinished, vi } from 'vitest';

import { forgetStoredJobs, loadState, saveState, type StoredJob } from '../src/core/storage.js';
import { timings } from '../src/core/timings.js';
import { eventually, openPage, startBackend } from './harness.js';

it('a reload carries on where the page was, hearing what happened meanwhile once and in order', async () => {
  const backend = await startBackend();
  const before = openPage(backend);
  const jobId = await before.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(before.client.getSnapshot().status).toBe('live'));
  backend.begin(jobId);
  backend.progress(jobId, 20);
  await eventually(() => expect(before.heard).toEqual(['progress 20']));
  before.leave();

  backend.progress(jobId, 40);
  backend.progress(jobId, 60);
  const after = openPage(backend);
  expect(after.job(jobId)).toMatchObject({ status: 'processing', progress: { percent: 20 } });
  await eventually(() => expect(after.heard).toEqual(['progress 40', 'progress 60']));
  expect(after.job(jobId)?.progress?.percent).toBe(60);

  backend.complete(jobId, { atsScore: 81 });
  await eventually(() => expect(after.heard.at(-1)).toBe('complete {"atsScore":81}'));
  expect(after.heard).toHaveLength(3);
});

it('a job that ended while the page was away is announced once, and not after the next reload', async () => {
  const backend = await startBackend();
  const before = openPage(backend);
  const jobId = await before.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(before.client.getSnapshot().status).toBe('live'));
  backend.begin(jobId);
  await eventually(() => expect(before.job(jobId)?.status).toBe('processing'));
  before.leave();
  backend.progress(jobId, 50);
  backend.complete(jobId, 'report');

  const after = openPage(backend);
  await eventually(() => expect(after.heard).toEqual(['progress 50', 'complete "report"']));
  after.leave();

  const later = openPage(backend);
  await eventually(() => expect(later.job(jobId)).toMatchObject({ status: 'completed', result: 'report' }));
  backend.create(backend.user);
  await eventually(() => expect(later.client.getSnapshot().jobs).toHaveLength(2));
  expect(later.heard).toEqual([]);
});

it('a feed that cannot be resumed is made up for by asking', async () => {
  const backend = await startBackend();
  const before = openPage(backend);
  const running = await before.client.createJob({ type: 'resume-optimization' });
  const ended = await before.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(before.client.getSnapshot().status).toBe('live'));
  before.leave();
  backend.progress(running, 70);
  backend.fail(ended, 'The file is empty.', 'empty_file');
  const elsewhere = backend.create(backend.user);
  backend.trimFeed();

  const after = openPage(backend);
  await eventually(() => expect(after.heard).toEqual(['error empty_file']));
  expect(after.job(running)?.progress?.percent).toBe(70);
  expect(after.job(elsewhere)?.status).toBe('queued');
  backend.progress(running, 90);
  await eventually(() => expect(after.heard.at(-1)).toBe('progress 90'));
});

it('a job that the server has lost is said to be lost, rather than waited for', async () => {
  const backend = await startBackend();
  const before = openPage(backend);
  const jobId = await before.client.createJob({ type: 'resume-optimization' });
  before.leave();
  backend.forget(jobId);

  const after = openPage(backend);
  await eventually(() => expect(after.heard).toEqual(['error job_not_found']));
  expect(after.job(jobId)).toBeUndefined();
});

it('results and what was dismissed do not stay in storage, and dismissed jobs stay away', async () => {
  const backend = await startBackend();
  const before = openPage(backend);
  const jobId = await before.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(before.client.getSnapshot().status).toBe('live'));
  backend.complete(jobId, 'something private');
  await eventually(() => expect(before.heard).toHaveLength(1));
  before.client.dismissJob(jobId);
  expect(before.client.getSnapshot().jobs).toEqual([]);
  before.leave();
  expect(JSON.stringify({ ...localStorage })).not.toContain('private');

  const after = openPage(backend);
  await eventually(() => expect(after.client.getSnapshot().status).toBe('live'));
  backend.create(backend.user);
  await eventually(() => expect(after.client.getSnapshot().jobs).toHaveLength(1));
  expect(after.job(jobId)).toBeUndefined();
});

it.each([
  ['is full', 'setItem', 'QuotaExceededError'],
  ['is forbidden', 'getItem', 'SecurityError'],
] as const)('works when storage %s', async (_, method, name) => {
  const access = vi.spyOn(Storage.prototype, method).mockImplementation(() => {
    throw new DOMException('no', name);
  });
  onTestFinished(() => access.mockRestore());
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.complete(jobId, 1);
  await eventually(() => expect(page.heard).toEqual(['complete 1']));
  expect(access).toHaveBeenCalled();
});

it.each(['{', '7', '{"jobs":[{"jobId":7}],"lastEventId":"x"}', '{"jobs":{}}'])(
  'takes garbled storage for empty: %s',
  async (garbage) => {
    const backend = await startBackend();
    localStorage.setItem(`careerlens:jobs:${backend.user}`, garbage);
    const page = openPage(backend);
    await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
    expect(backend.handshakes[0]?.lastEventId).toBeUndefined();
    expect(page.client.getSnapshot().jobs).toEqual([]);
  },
);

it('keeps users apart, and forgets one of them on request', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  await page.client.createJob({ type: 'resume-optimization' });
  page.leave();
  const other = openPage(backend, { userId: backend.user.slice(0, -1) });
  expect(other.client.getSnapshot().jobs).toEqual([]);
  other.leave();
  forgetStoredJobs(backend.user);
  expect(localStorage.getItem(`careerlens:jobs:${backend.user}`)).toBeNull();
});

it('a tab that fell behind takes nothing back that another tab has stored', async () => {
  const backend = await startBackend();
  const behind = openPage(backend);
  const jobId = await behind.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(behind.client.getSnapshot().status).toBe('live'));
  backend.begin(jobId);
  await eventually(() => expect(behind.job(jobId)?.status).toBe('processing'));
  timings.downGrace_ = 60_000;
  // Frozen: its socket dies with the gateway, and does not come back to the new one's port.
  await backend.stopGateway();
  backend.moveGateway();
  await backend.startGateway();

  const ahead = openPage(backend, { socketUrl: backend.socketUrl });
  backend.complete(jobId, 'report');
  await eventually(() => expect(ahead.heard).toEqual(['complete "report"']));
  ahead.client.dismissJob(jobId);
  ahead.leave();
  await eventually(() => expect(ahead.client.getSnapshot().status).toBe('idle'));
  behind.leave();
  await eventually(() => expect(behind.client.getSnapshot().status).toBe('idle'));

  const later = openPage(backend, { socketUrl: backend.socketUrl });
  await eventually(() => expect(later.client.getSnapshot().status).toBe('live'));
  const marker = backend.create(backend.user);
  await eventually(() => expect(later.job(marker)).toBeDefined());
  expect(later.heard).toEqual([]);
  expect(later.job(jobId)).toBeUndefined();
});

it('a server that has lost its feeds does not keep the page from starting anew', async () => {
  const backend = await startBackend();
  const before = openPage(backend);
  await before.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(before.client.getSnapshot().status).toBe('live'));
  const key = `careerlens:jobs:${backend.user}`;
  before.leave();
  const stored = JSON.parse(localStorage.getItem(key) ?? '{}') as Record<string, unknown>;
  localStorage.setItem(key, JSON.stringify({ ...stored, lastEventId: '1900000000000-0' }));

  const after = openPage(backend);
  await eventually(() => expect(after.client.getSnapshot().status).toBe('live'));
  const jobId = backend.create(backend.user);
  backend.progress(jobId, 10);
  await eventually(() => expect(after.heard).toEqual(['progress 10']));
  after.leave();
  await openPage(backend).client.refresh();
  await eventually(() => expect(backend.handshakes).toHaveLength(3));
  expect(backend.handshakes[1]?.lastEventId).toBe('1900000000000-0');
  expect(backend.handshakes[2]?.lastEventId).toMatch(/^1700000000000-/);
});

it('an end that one tab knows from polling outlives a tab at the same place in the feed', () => {
  const running: StoredJob = {
    jobId: 'u:report:1:r',
    type: 'report',
    status: 'processing',
    createdAt: Date.now(),
    attemptsMade: 0,
    maxAttempts: 3,
    settled: false,
    dismissed: false,
  };
  const ended: StoredJob = { ...running, status: 'completed', completedAt: Date.now(), settled: true };
  saveState('polling', { jobs: [ended], lastEventId: '7-0' });
  saveState('polling', { jobs: [running], lastEventId: '7-0' });
  expect(loadState('polling').jobs).toMatchObject([ended]);
  // The feed has gone on, and may have reopened it.
  saveState('polling', { jobs: [running], lastEventId: '8-0' });
  expect(loadState('polling').jobs).toMatchObject([running]);

  // Nor does it matter that the one who polled has never heard of the feed.
  saveState('alone', { jobs: [{ ...ended, dismissed: true }], lastEventId: null });
  saveState('alone', { jobs: [running], lastEventId: '7-0' });
  expect(loadState('alone').jobs).toMatchObject([{ ...ended, dismissed: true }]);
});
