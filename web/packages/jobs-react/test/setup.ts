import '@testing-library/jest-dom/vitest';

import { afterAll, afterEach, beforeEach, expect, vi } from 'vitest';

import { JobsClient } from '../src/core/client.js';
import { timings } from '../src/core/timings.js';

if (typeof document !== 'undefined') {
  const { configure } = await import('@testing-library/react');
  // As patient as `eventually`: machines that test are busy machines.
  configure({ asyncUtilTimeout: 8_000 });
}

const real = { ...timings };
const retain = vi.spyOn(JobsClient.prototype, 'retain');

/** The same waits, in the same order, twenty times shorter. */
beforeEach(() => {
  Object.assign(timings, real, {
    publish: 1,
    persist: 5,
    linger: 60,
    firstList: 60,
    confirm: 100,
    openGrace: 2_000,
    downGrace: 100,
    reconnectMin: 20,
    reconnectMax: 100,
    spread: 100,
    lifeSign: 150,
    renewAgain: 30,
    pollMin: 40,
    pollMax: 200,
    pollIdle: 400,
    retryMin: 30,
    retryMax: 100,
  });
});

afterEach(async () => {
  // Tests in Node have no document, and nothing of React's to put away.
  if (typeof document !== 'undefined') (await import('@testing-library/react')).cleanup();
  if (typeof localStorage !== 'undefined') localStorage.clear();
});

/** The window goes away with the last test; whoever still lingers would look for it. */
afterAll(async () => {
  const clients = retain.mock.contexts as JobsClient[];
  const asleep = (): void => expect(clients.every((client) => client.getSnapshot().status === 'idle')).toBe(true);
  await vi.waitFor(asleep, 5_000);
});
