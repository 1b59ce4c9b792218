import '@testing-library/jest-dom/vitest';

import { afterAll, afterEach, beforeEach, expect, vi } from 'vitest';

import type { JobsClient, JobsClientOptions } from '../src/core/client.js';
import { timings } from '../src/core/timings.js';

if (typeof document !== 'undefined') {
  const { configure } = await import('@testing-library/react');
  // As patient as `eventually`: machines that test are busy machines.
  configure({ asyncUtilTimeout: 8_000 });
}

const real = { ...timings };
const { clients } = vi.hoisted(() => ({ clients: [] as JobsClient[] }));

/** The client as it is, but noted down, so that the end can wait for it. */
vi.mock(import('../src/core/client.js'), async (load) => {
  const real = await load();
  class NotedClient extends real.JobsClient {
    constructor(options: JobsClientOptions) {
      super(options);
      clients.push(this);
    }
  }
  return { ...real, JobsClient: NotedClient };
});

/** The same waits, in the same order, twenty times shorter. */
beforeEach(() => {
  Object.assign(timings, real, {
    publish_: 1,
    persist_: 5,
    linger_: 60,
    firstList_: 60,
    confirm_: 100,
    openGrace_: 2_000,
    downGrace_: 100,
    reconnectMin_: 20,
    reconnectMax_: 100,
    spread_: 100,
    lifeSign_: 150,
    renewAgain_: 30,
    pollMin_: 40,
    pollMax_: 200,
    pollIdle_: 400,
    retryMin_: 30,
    retryMax_: 100,
  });
});

afterEach(async () => {
  // Tests in Node have no document, and nothing of React's to put away.
  if (typeof document !== 'undefined') (await import('@testing-library/react')).cleanup();
  if (typeof localStorage !== 'undefined') localStorage.clear();
});

/** The window goes away with the last test; whoever still lingers would look for it. */
afterAll(async () => {
  const asleep = (): void => expect(clients.every((client) => client.getSnapshot().status === 'idle')).toBe(true);
  await vi.waitFor(asleep, 5_000);
});
