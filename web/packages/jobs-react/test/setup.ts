import '@testing-library/jest-dom/vitest';

import { afterEach, beforeEach } from 'vitest';

import { timings } from '../src/core/timings.js';

const real = { ...timings };

/** The same waits, in the same order, twenty times shorter. */
beforeEach(() => {
  Object.assign(timings, {
    publish: 1,
    persist: 5,
    linger: 60,
    firstList: 60,
    confirm: 100,
    openGrace: 2_000,
    downGrace: 100,
    reconnectMin: 20,
    reconnectMax: 100,
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
  Object.assign(timings, real);
  if (typeof localStorage !== 'undefined') localStorage.clear();
});
