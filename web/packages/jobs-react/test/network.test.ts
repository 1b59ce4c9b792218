import { expect, it, onTestFinished, vi } from 'vitest';

import { backoff, spread } from '../src/core/backoff.js';
import { timings } from '../src/core/timings.js';
import type { Backend } from './backend.js';
import { eventually, openPage, startBackend } from './harness.js';

/** What the browser says of the network, from now on. */
function network(isThere: boolean): void {
  const onLine = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(isThere);
  onTestFinished(() => onLine.mockRestore());
  window.dispatchEvent(new Event(isThere ? 'online' : 'offline'));
}

/** Time enough for many attempts, had there been any: the test itself has asked the server so often. */
async function manyAnswers(backend: Backend): Promise<void> {
  for (let count = 0; count < 100; count += 1) await fetch(`${backend.apiUrl}/api/config`);
}

it('tries nothing while there is no network, and carries on at once when it is back', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 10);
  await eventually(() => expect(page.heard).toEqual(['progress 10']));
  network(false);
  backend.cutSockets();
  await eventually(() => expect(page.client.getSnapshot().status).toBe('offline'));
  // What was under way arrives.
  await manyAnswers(backend);
  const handshakes = backend.handshakes.length;
  const requests = backend.requestsTo('GET', /jobs/).length;
  backend.progress(jobId, 50);
  await manyAnswers(backend);
  expect(backend.handshakes).toHaveLength(handshakes);
  expect(backend.requestsTo('GET', /jobs/)).toHaveLength(requests);

  // Whoever waited for its turn now would wait for minutes.
  timings.reconnectMin_ = timings.reconnectMax_ = timings.pollIdle_ = 600_000;
  network(true);
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  await eventually(() => expect(page.heard).toEqual(['progress 10', 'progress 50']));
});

it('tells what a connection has missed that had no place to resume from', async () => {
  const backend = await startBackend();
  timings.downGrace_ = 60_000;
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.cutSockets();
  backend.begin(jobId);
  backend.progress(jobId, 50);
  await eventually(() => expect(page.heard).toEqual(['progress 50']));

  backend.progress(jobId, 60);
  backend.complete(jobId, 'report');
  await eventually(() => expect(page.heard).toEqual(['progress 50', 'progress 60', 'complete "report"']));
});

it('a page that opens without a network waits for it', async () => {
  const backend = await startBackend();
  network(false);
  const page = openPage(backend);
  expect(page.client.getSnapshot().status).toBe('offline');
  await manyAnswers(backend);
  expect(backend.handshakes).toEqual([]);
  network(true);
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
});

it('connects when it wakes, although it fell asleep without a network', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  network(false);
  backend.cutSockets();
  await eventually(() => expect(page.client.getSnapshot().status).toBe('offline'));
  page.leave();
  await eventually(() => expect(page.client.getSnapshot().status).toBe('idle'));
  network(true);
  onTestFinished(page.client.retain());
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
});

it('moves to another server when its own is about to stop, and misses nothing', async () => {
  const backend = await startBackend();
  timings.downGrace_ = 60_000;
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.progress(jobId, 10);
  await eventually(() => expect(page.heard).toEqual(['progress 10']));
  backend.emitToAll('server:draining', { withinMs: 50 });
  await eventually(() => expect(backend.handshakes).toHaveLength(2));
  backend.progress(jobId, 20);
  await eventually(() => expect(page.heard).toEqual(['progress 10', 'progress 20']));
  expect(backend.openSockets).toBe(1);
});

it.each([
  ['that were told to go', () => spread()],
  ['that have failed often', () => backoff(8)],
])('ten thousand clients %s come back evenly over twenty seconds', (_, wait) => {
  Object.assign(timings, { reconnectMin_: 1_000, reconnectMax_: 20_000, spread_: 20_000 });
  const inSecond = Array.from({ length: 20 }, () => 0);
  for (let client = 0; client < 10_000; client += 1) {
    const second = Math.floor(wait() / 1_000);
    inSecond[second] = (inSecond[second] ?? 0) + 1;
  }
  expect(inSecond).toHaveLength(20);
  // 500 each on average; 22 is one standard deviation.
  expect(Math.min(...inSecond)).toBeGreaterThan(300);
  expect(Math.max(...inSecond)).toBeLessThan(700);
});

it('the first attempt comes soon', () => {
  Object.assign(timings, { reconnectMin_: 1_000, reconnectMax_: 20_000 });
  for (let client = 0; client < 1_000; client += 1) expect(backoff(0)).toBeLessThan(1_000);
});
