import { render, screen, within } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { toJob } from '../src/core/job.js';
import { placeInWords } from '../src/core/place-in-words.js';
import { createPlaceWatch } from '../src/core/place-watch.js';
import { timings } from '../src/core/timings.js';
import type { Job, JobStatusResponse } from '../src/core/types.js';
import { JobProgressNotifications } from '../src/react/job-progress-notifications.js';
import { eventually, openPage, startBackend } from './harness.js';

describe('a place in words', () => {
  it.each([
    [1, null, 'Next in line'],
    [1, 0, 'Next in line, about 1 s'],
    [2, 900, '2nd in line, about 1 s'],
    [3, 36_001, '3rd in line, about 40 s'],
    [4, 10_000, '4th in line, about 10 s'],
    [11, 55_000, '11th in line, about 55 s'],
    [12, 56_000, '12th in line, about 1 min'],
    [21, 61_000, '21st in line, about 2 min'],
    [1_003, 5_400_000, '1,003rd in line, about 90 min'],
    [1_112, 5_460_000, '1,112th in line, about 2 h'],
  ])('%i with %s ms is "%s"', (position, estimatedWaitMs, words) => {
    expect(placeInWords({ position, estimatedWaitMs })).toBe(words);
  });
});

describe('the watch over places', () => {
  const job = (jobId: string, more: Partial<JobStatusResponse> = {}): Job =>
    toJob({ jobId, type: 'letter', status: 'queued', createdAt: 1, ...more });

  afterEach(() => {
    vi.useRealTimers();
  });

  function watch(): { ask: ReturnType<typeof vi.fn<() => void>>; watch: ReturnType<typeof createPlaceWatch> } {
    vi.useFakeTimers();
    const ask = vi.fn<() => void>();
    return { ask, watch: createPlaceWatch(ask) };
  }

  it('asks soon for a job that joins, and then now and again', () => {
    const { ask, watch: places } = watch();
    const untilNext = (): number => {
      const before = Date.now();
      vi.advanceTimersToNextTimer();
      return Date.now() - before;
    };
    const about = (found: number, wait: number): void => {
      expect(found).toBeGreaterThan(wait * 0.8);
      expect(found).toBeLessThan(wait * 1.2);
    };
    places.look_([job('a')]);
    about(untilNext(), timings.placeFirst_);
    expect(ask).toHaveBeenCalledTimes(1);
    places.look_([job('a')]);
    about(untilNext(), timings.placeAgain_);
    expect(ask).toHaveBeenCalledTimes(2);
    places.look_([job('a'), job('b')]);
    about(untilNext(), timings.placeFirst_);
    expect(ask).toHaveBeenCalledTimes(3);
  });

  it('never asks for one that starts at once, is over, or waits for something else', () => {
    const { ask, watch: places } = watch();
    places.look_([job('a')]);
    places.look_([
      job('a', { status: 'processing' }),
      job('b', { delayedUntil: 9e12 }),
      job('c', { retrying: true, attemptsMade: 1 }),
      job('d', { status: 'failed' }),
    ]);
    vi.advanceTimersByTime(timings.placeAgain_ * 10);
    expect(ask).not.toHaveBeenCalled();
  });

  it('asks at once when somebody looks again, if there is anything to ask for', () => {
    const { ask, watch: places } = watch();
    places.refresh_();
    vi.advanceTimersByTime(timings.placeFirst_);
    expect(ask).not.toHaveBeenCalled();
    places.look_([job('a')]);
    places.refresh_();
    vi.advanceTimersByTime(0);
    expect(ask).toHaveBeenCalledTimes(1);
  });
});

it('follows a job up the line until it starts', async () => {
  Object.assign(timings, { placeFirst_: 30, placeAgain_: 60 });
  const backend = await startBackend();
  const page = openPage(backend);
  await eventually(() => expect(backend.openSockets).toBe(1));
  const jobId = backend.create(backend.user);
  backend.place(jobId, 3, 40_000);
  await eventually(() => expect(page.job(jobId)?.queue).toEqual({ position: 3, estimatedWaitMs: 40_000 }));
  backend.place(jobId, 1, null);
  await eventually(() => expect(page.job(jobId)?.queue).toEqual({ position: 1, estimatedWaitMs: null }));
  backend.begin(jobId);
  await eventually(() => expect(page.job(jobId)).toMatchObject({ status: 'processing', queue: null }));
  expect(page.heard).toEqual([]);
});

it('takes a place that makes no sense for none', async () => {
  Object.assign(timings, { placeFirst_: 30, placeAgain_: 60 });
  const backend = await startBackend();
  const page = openPage(backend);
  await eventually(() => expect(backend.openSockets).toBe(1));
  const [odd, sound] = [backend.create(backend.user), backend.create(backend.user)];
  backend.place(odd, -1, Number.NaN);
  backend.place(sound, 2, null);
  await eventually(() => expect(page.job(sound)?.queue?.position).toBe(2));
  expect(page.job(odd)?.queue).toBeNull();
});

it('shows the place on the card, and says it in other words where asked', async () => {
  Object.assign(timings, { placeFirst_: 30, placeAgain_: 60 });
  const backend = await startBackend();
  const source = { userId: backend.user, authToken: 'jwt-token', apiUrl: backend.apiUrl };
  const { rerender } = render(<JobProgressNotifications {...source} />);
  await eventually(() => expect(backend.openSockets).toBe(1));
  const jobId = backend.create(backend.user);
  const card = (): HTMLElement => screen.getByRole('listitem', { name: 'Resume optimization' });
  await eventually(() => expect(within(card()).getByText('Waiting for its turn')).toBeVisible());
  backend.place(jobId, 3, 40_000);
  await eventually(() => expect(within(card()).getByText('3rd in line, about 40 s')).toBeVisible());
  const spoken = screen.getByRole('status').textContent;
  backend.place(jobId, 2, 20_000);
  await eventually(() => expect(within(card()).getByText('2nd in line, about 20 s')).toBeVisible());
  expect(screen.getByRole('status').textContent).toBe(spoken);
  rerender(<JobProgressNotifications {...source} labels={{ inLine: ({ position }) => `Platz ${position}` }} />);
  expect(within(card()).getByText('Platz 2')).toBeVisible();
});
