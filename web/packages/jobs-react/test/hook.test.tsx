import { act, renderHook } from '@testing-library/react';
import { StrictMode } from 'react';
import { expect, it, onTestFinished, vi } from 'vitest';

import { useBackgroundJobs, type UseBackgroundJobsOptions } from '../src/react/use-background-jobs.js';
import type { Backend } from './backend.js';
import { eventually, startBackend } from './harness.js';

function optionsFor(backend: Backend, rest: Partial<UseBackgroundJobsOptions> = {}): UseBackgroundJobsOptions {
  return { userId: backend.user, authToken: 'jwt-token', apiUrl: backend.apiUrl, ...rest };
}

it('opens one socket in StrictMode, which mounts everything twice', async () => {
  const backend = await startBackend();
  const { result, unmount } = renderHook(() => useBackgroundJobs(optionsFor(backend)), { wrapper: StrictMode });
  await eventually(() => expect(result.current.connected).toBe(true));
  expect(backend.handshakes).toEqual([{ token: 'jwt-token', userId: backend.user }]);
  unmount();
  await eventually(() => expect(backend.openSockets).toBe(0));
  expect(backend.handshakes).toHaveLength(1);
});

it('shares one socket among components and keeps it over a remount', async () => {
  const backend = await startBackend();
  const first = renderHook(() => useBackgroundJobs(optionsFor(backend)));
  const second = renderHook(() => useBackgroundJobs(optionsFor(backend)));
  await eventually(() => expect(second.result.current.connected).toBe(true));
  first.unmount();
  second.unmount();
  const third = renderHook(() => useBackgroundJobs(optionsFor(backend)));
  expect(third.result.current.connected).toBe(true);
  expect(backend.handshakes).toHaveLength(1);
});

it('calls each component once for each event, in StrictMode as well', async () => {
  const backend = await startBackend();
  const heard: string[] = [];
  const listen = (name: string): Partial<UseBackgroundJobsOptions> => ({
    onProgress: (_, progress) => heard.push(`${name} ${progress.percent}`),
    onComplete: (_, result) => heard.push(`${name} ${String(result)}`),
  });
  const first = renderHook(() => useBackgroundJobs(optionsFor(backend, listen('a'))), { wrapper: StrictMode });
  renderHook(() => useBackgroundJobs(optionsFor(backend, listen('b'))), { wrapper: StrictMode });
  await eventually(() => expect(first.result.current.connected).toBe(true));
  const jobId = await act(() => first.result.current.createJob({ type: 'resume-optimization' }));
  backend.progress(jobId, 50);
  backend.repeatFeed(backend.user);
  backend.complete(jobId, 'report');
  await eventually(() => expect(heard).toHaveLength(4));
  for (const name of ['a', 'b']) {
    expect(heard.filter((word) => word.startsWith(name))).toEqual([`${name} 50`, `${name} report`]);
  }
  first.rerender();
  backend.repeatFeed(backend.user);
  const other = backend.create(backend.user);
  await eventually(() => expect(first.result.current.jobs.map((job) => job.jobId)).toContain(other));
  expect(heard).toHaveLength(4);
});

it('calls each of two components that are given the same object, until it goes away', async () => {
  const backend = await startBackend();
  const onComplete = vi.fn();
  const options = optionsFor(backend, { onComplete });
  const first = renderHook(() => useBackgroundJobs(options));
  const second = renderHook(() => useBackgroundJobs(options));
  await eventually(() => expect(second.result.current.connected).toBe(true));
  backend.complete(backend.create(backend.user), 'report');
  await eventually(() => expect(onComplete).toHaveBeenCalledTimes(2));
  first.unmount();
  backend.complete(backend.create(backend.user), 'report');
  await eventually(() => expect(onComplete).toHaveBeenCalledTimes(3));
});

it('calls the callbacks of the latest render', async () => {
  const backend = await startBackend();
  const heard: string[] = [];
  const { result, rerender } = renderHook(
    ({ name }) => useBackgroundJobs(optionsFor(backend, { onProgress: () => heard.push(name) })),
    { initialProps: { name: 'old' } },
  );
  await eventually(() => expect(result.current.connected).toBe(true));
  const { createJob } = result.current;
  rerender({ name: 'new' });
  expect(result.current.createJob).toBe(createJob);
  const jobId = await act(() => createJob({ type: 'resume-optimization' }));
  backend.progress(jobId, 1);
  await eventually(() => expect(heard).toEqual(['new']));
  expect(backend.handshakes).toHaveLength(1);
});

it('a callback that throws keeps nobody else from hearing, and is reported', async () => {
  const backend = await startBackend();
  const heard = vi.fn();
  const mistake = new Error('mistake in the application');
  const reported: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => reported.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  const throwing = { onProgress: () => { throw mistake; } };
  const { result } = renderHook(() => useBackgroundJobs(optionsFor(backend, throwing)));
  renderHook(() => useBackgroundJobs(optionsFor(backend, { onProgress: heard })));
  await eventually(() => expect(result.current.connected).toBe(true));
  const jobId = await act(() => result.current.createJob({ type: 'resume-optimization' }));
  backend.progress(jobId, 1);
  await eventually(() => expect(heard).toHaveBeenCalledTimes(1));
  await eventually(() => expect(reported).toEqual([mistake]));
});

it('a component that goes away while a job is being created leaves it to the next one', async () => {
  const backend = await startBackend();
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  backend.intercept = async ({ method }) => {
    if (method === 'POST') await held;
    return null;
  };
  const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  onTestFinished(() => errors.mockRestore());
  const first = renderHook(() => useBackgroundJobs(optionsFor(backend)), { wrapper: StrictMode });
  await eventually(() => expect(first.result.current.connected).toBe(true));
  const creating = first.result.current.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(backend.requestsTo('POST', /jobs$/)).toHaveLength(1));
  first.unmount();
  await eventually(() => expect(backend.openSockets).toBe(0));
  release();
  const jobId = await creating;

  const heard = vi.fn();
  const second = renderHook(() => useBackgroundJobs(optionsFor(backend, { onComplete: heard })));
  await eventually(() => expect(second.result.current.jobs.map((job) => job.jobId)).toEqual([jobId]));
  await eventually(() => expect(second.result.current.connected).toBe(true));
  act(() => backend.complete(jobId, 'report'));
  await eventually(() => expect(heard.mock.calls).toEqual([[jobId, 'report']]));
  expect(errors).not.toHaveBeenCalled();
});

it('follows fifty jobs at once, each to its own end', async () => {
  const backend = await startBackend();
  const ends = new Map<string, unknown[]>();
  const steps = new Map<string, number[]>();
  const note = <T,>(map: Map<string, T[]>, key: string, value: T): void => {
    map.set(key, [...(map.get(key) ?? []), value]);
  };
  let renders = 0;
  const { result } = renderHook(
    () => {
      renders += 1;
      return useBackgroundJobs(
        optionsFor(backend, {
          onProgress: (jobId, { percent }) => note(steps, jobId, percent),
          onComplete: (jobId, value) => note(ends, jobId, value),
        }),
      );
    },
    { wrapper: StrictMode },
  );
  await eventually(() => expect(result.current.connected).toBe(true));
  const create = (): Promise<string> => result.current.createJob({ type: 'resume-optimization' });
  const jobIds = await act(() => Promise.all(Array.from({ length: 50 }, create)));
  for (const percent of [10, 30, 60, 90]) for (const jobId of jobIds) backend.progress(jobId, percent);
  for (const jobId of jobIds) backend.complete(jobId, jobId);
  await eventually(() => expect(ends.size).toBe(50));
  expect([...ends].every(([jobId, values]) => values.length === 1 && values[0] === jobId)).toBe(true);
  expect([...steps.values()].every((percents) => percents.join() === '10,30,60,90')).toBe(true);
  await eventually(() => expect(result.current.jobs.filter((job) => job.status === 'completed')).toHaveLength(50));
  // 50 creations, 250 events and 50 results, each rendered twice by StrictMode, had nothing been gathered.
  expect(renders).toBeLessThan(600);
});

it('follows the signed-in user from one to the next', async () => {
  const backend = await startBackend();
  const userA = `${backend.user}-a`;
  const jobOfA = backend.create(userA);
  const jobOfB = backend.create(`${backend.user}-b`);
  const { result, rerender } = renderHook(({ userId }) => useBackgroundJobs(optionsFor(backend, { userId })), {
    initialProps: { userId: userA },
  });
  await eventually(() => expect(result.current.jobs.map((job) => job.jobId)).toEqual([jobOfA]));
  rerender({ userId: `${backend.user}-b` });
  await eventually(() => expect(result.current.jobs.map((job) => job.jobId)).toEqual([jobOfB]));
  await eventually(() => expect(backend.openSockets).toBe(1));
});
