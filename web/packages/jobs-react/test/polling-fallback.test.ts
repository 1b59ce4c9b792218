import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, it, onTestFinished, vi } from 'vitest';

import { createPoller } from '../src/core/poller.js';
import { timings } from '../src/core/timings.js';
import { eventually, openPage, startBackend } from './harness.js';

const LIST = /^\/api\/jobs$/;

it('polls after three vain attempts at the socket, hears everything that way, and slows down', async () => {
  const backend = await startBackend();
  await backend.stopGateway();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('polling'));
  backend.begin(jobId);
  backend.progress(jobId, 30);
  await eventually(() => expect(page.heard).toEqual(['progress 30']));
  backend.progress(jobId, 60);
  await eventually(() => expect(page.heard).toEqual(['progress 30', 'progress 60']));
  backend.complete(jobId, 'report');
  await eventually(() => expect(page.heard.at(-1)).toBe('complete "report"'));
  expect(page.heard).toHaveLength(3);
});

it('gives the socket its attempts anew when it wakes', async () => {
  const backend = await startBackend();
  await backend.stopGateway();
  const page = openPage(backend);
  await eventually(() => expect(page.client.getSnapshot().status).toBe('polling'));
  page.leave();
  await eventually(() => expect(page.client.getSnapshot().status).toBe('idle'));
  await backend.startGateway();
  const seen = new Set<string>();
  page.client.subscribe(() => seen.add(page.client.getSnapshot().status));
  onTestFinished(page.client.retain());
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  expect([...seen]).toEqual(['connecting', 'live']);
});

it('asks ever less often while nothing changes', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const asked: number[] = [];
  const poller = createPoller(() => {
    asked.push(Date.now());
    return Promise.resolve({ changed_: false, isWaiting_: true });
  });
  poller.start_(true);
  await vi.advanceTimersByTimeAsync(20 * timings.pollMax_);
  poller.stop_();
  const gaps = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
  const [first = 0, second = 0, third = 0] = gaps;
  expect(first).toBeGreaterThan(timings.pollMin_);
  expect(second).toBeGreaterThan(first);
  expect(third).toBeGreaterThan(second);
  expect(gaps.at(-1)).toBeGreaterThan(0.8 * timings.pollMax_);
});

it('polls while the socket is down, stops when it is back, and tells nothing twice', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 20);
  await eventually(() => expect(page.heard).toEqual(['progress 20']));

  await backend.stopGateway();
  await eventually(() => expect(page.client.getSnapshot().status).toBe('polling'));
  backend.progress(jobId, 30);
  backend.progress(jobId, 50);
  await eventually(() => expect(page.heard).toEqual(['progress 20', 'progress 50']));

  await backend.startGateway();
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 70);
  await eventually(() => expect(page.heard.at(-1)).toBe('progress 70'));
  const lists = backend.requestsTo('GET', LIST).length;
  await othersHavePolled(4);
  expect(backend.requestsTo('GET', LIST).length).toBe(lists);
  backend.complete(jobId, 'report');
  await eventually(() => expect(page.heard.at(-1)).toBe('complete "report"'));
  expect(page.heard).toEqual(['progress 20', 'progress 50', 'progress 70', 'complete "report"']);
});

/** Time enough for anybody who still polls: another page, without a gateway, has done so `times`. */
async function othersHavePolled(times: number): Promise<void> {
  const other = await startBackend();
  await other.stopGateway();
  const page = openPage(other);
  await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('polling'));
  const polls = other.requestsTo('GET', LIST).length;
  await eventually(() => expect(other.requestsTo('GET', LIST).length).toBeGreaterThanOrEqual(polls + times));
}

it('a short cut causes neither polling nor a wave of requests: the feed is resumed', async () => {
  const backend = await startBackend();
  timings.downGrace_ = 5_000;
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 10);
  await eventually(() => expect(page.heard).toEqual(['progress 10']));
  const requests = backend.requests.length;
  for (const percent of [20, 30, 40]) {
    const handshakes = backend.handshakes.length;
    backend.cutSockets();
    backend.progress(jobId, percent);
    await eventually(() => expect(backend.handshakes.length).toBeGreaterThan(handshakes));
    await eventually(() => expect(page.heard.at(-1)).toBe(`progress ${percent}`));
  }
  expect(page.heard).toEqual(['progress 10', 'progress 20', 'progress 30', 'progress 40']);
  expect(backend.handshakes.at(-1)?.lastEventId).toMatch(/^1700000000000-\d+$/);
  expect(backend.requests.length).toBe(requests);
});

it('a short cut in which the feed was trimmed is made up for by asking', async () => {
  const backend = await startBackend();
  timings.downGrace_ = 5_000;
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 10);
  await eventually(() => expect(page.heard).toEqual(['progress 10']));
  backend.cutSockets();
  backend.complete(jobId, 'report');
  const unseen = backend.create(backend.user);
  backend.trimFeed();
  await eventually(() => expect(page.heard).toEqual(['progress 10', 'complete "report"']));
  await eventually(() => expect(page.job(unseen)?.status).toBe('queued'));
  backend.progress(unseen, 5);
  await eventually(() => expect(page.heard.at(-1)).toBe('progress 5'));
});

it('an end found by polling is not announced again by the feed', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  await backend.stopGateway();
  backend.fail(jobId, 'No.', 'invalid_input');
  await eventually(() => expect(page.heard).toEqual(['error invalid_input']));
  await backend.startGateway();
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  const marker = backend.create(backend.user);
  await eventually(() => expect(page.job(marker)).toBeDefined());
  expect(page.heard).toEqual(['error invalid_input']);
});

it('entries that a gateway repeats are heard once', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 10);
  backend.repeatFeed(backend.user);
  backend.progress(jobId, 20);
  backend.repeatFeed(backend.user);
  backend.cancelled(jobId);
  await eventually(() => expect(page.heard.at(-1)).toBe('cancel'));
  expect(page.heard).toEqual(['progress 10', 'progress 20', 'cancel']);
});

it('an open socket that has fallen silent about running jobs is checked by asking', async () => {
  const backend = await startBackend();
  timings.silence_ = 150;
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  // The feed loses an end: only asking can find it.
  backend.loseNext();
  backend.complete(jobId, 'report');
  await eventually(() => expect(page.heard).toEqual(['complete "report"']));
});

it('polls where attempts at the socket hang instead of failing', async () => {
  const backend = await startBackend();
  timings.openGrace_ = 100;
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const page = openPage(backend, { socketUrl: `http://127.0.0.1:${port}` });
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('polling'));
  backend.progress(jobId, 30);
  await eventually(() => expect(page.heard).toEqual(['progress 30']));
});
