import { act, render, renderHook, screen } from '@testing-library/react';
import { StrictMode, useState, type JSX, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, it, vi } from 'vitest';

import { JobProgressNotifications, JobsProvider, useBackgroundJobs, useCreateJob, useJob } from '../src/index.js';
import { problem, type Backend } from './backend.js';
import { eventually, startBackend } from './harness.js';

function below(backend: Backend, rest: object = {}): ({ children }: { children: ReactNode }) => JSX.Element {
  return ({ children }) => (
    <StrictMode>
      <JobsProvider userId={backend.user} authToken="jwt-token" apiUrl={backend.apiUrl} {...rest}>
        {children}
      </JobsProvider>
    </StrictMode>
  );
}

it('components below a provider need no options, and share its one connection', async () => {
  const backend = await startBackend();
  const onComplete = vi.fn();
  const { result } = renderHook(() => useBackgroundJobs(), { wrapper: below(backend, { onComplete }) });
  render(<JobProgressNotifications />, { wrapper: below(backend) });
  await eventually(() => expect(result.current.connected).toBe(true));
  const jobId = await act(() => result.current.createJob({ type: 'resume-optimization' }));
  expect(await screen.findByRole('listitem', { name: 'Resume optimization' })).toBeVisible();
  act(() => backend.complete(jobId, 'report'));
  await eventually(() => expect(onComplete.mock.calls).toEqual([[jobId, 'report']]));
  expect(backend.handshakes).toHaveLength(1);
});

it('a component may still say itself whose jobs it means', async () => {
  const backend = await startBackend();
  const other = `${backend.user}-other`;
  const theirs = backend.create(other);
  const { result } = renderHook(
    () => useBackgroundJobs({ userId: other, authToken: 'jwt-token', apiUrl: backend.apiUrl }),
    { wrapper: below(backend) },
  );
  await eventually(() => expect(result.current.jobs.map(({ jobId }) => jobId)).toEqual([theirs]));
});

it('without a provider and without a user, it says what is missing', () => {
  expect(() => renderToString(<JobProgressNotifications />)).toThrow(/<JobsProvider>/);
});

it('useCreateJob follows its last job from the answer to the result', async () => {
  const backend = await startBackend();
  const { result } = renderHook(() => useCreateJob<'resume-optimization'>(), { wrapper: below(backend) });
  expect(result.current).toMatchObject({ job: null, isCreating: false, error: null });
  let creating: Promise<string> | undefined;
  act(() => {
    creating = result.current.createJob({ type: 'resume-optimization', resumeText: 'Text', targetRole: 'Nurse' });
  });
  expect(result.current.isCreating).toBe(true);
  const jobId = await act(async () => creating);
  await eventually(() => expect(result.current.job?.jobId).toBe(jobId));
  act(() => backend.progress(jobId ?? '', 30));
  await eventually(() => expect(result.current.job?.progress?.percent).toBe(30));
  act(() => backend.complete(jobId ?? '', { atsScore: 81 }));
  await eventually(() => expect(result.current.job?.result).toEqual({ atsScore: 81 }));
  act(() => result.current.reset());
  expect(result.current.job).toBeNull();
});

it('useCreateJob keeps what was wrong with the fields until the next try', async () => {
  const backend = await startBackend();
  let isRefused = true;
  const wrong = [{ field: 'targetRole', message: 'Say which role.', code: 'missing' }];
  backend.intercept = ({ method }) =>
    isRefused && method === 'POST' ? problem(422, 'invalid-input', 'Wrong', 'Look again.', wrong) : null;
  const { result } = renderHook(() => useCreateJob(), { wrapper: below(backend) });
  await act(() => expect(result.current.createJob({ type: 'resume-optimization' })).rejects.toThrow('Look again.'));
  expect(result.current.error?.errors).toEqual(wrong);
  isRefused = false;
  await act(() => result.current.createJob({ type: 'resume-optimization' }));
  expect(result.current.error).toBeNull();
});

it('useJob finds a job that ended long ago, without showing or announcing it', async () => {
  const backend = await startBackend();
  const jobId = backend.create(backend.user);
  backend.complete(jobId, { atsScore: 64 });
  const onComplete = vi.fn();
  const { result } = renderHook(() => ({ one: useJob<'resume-optimization'>(jobId), all: useBackgroundJobs() }), {
    wrapper: below(backend, { onComplete }),
  });
  expect(result.current.one).toMatchObject({ job: null, isLoading: true });
  await eventually(() => expect(result.current.one.job?.result).toEqual({ atsScore: 64 }));
  await eventually(() => expect(result.current.all.connected).toBe(true));
  expect(result.current.all.jobs).toEqual([]);
  expect(onComplete).not.toHaveBeenCalled();
});

it('useJob says when there is no such job, and follows another id', async () => {
  const backend = await startBackend();
  const jobId = backend.create(backend.user);
  const { result, rerender } = renderHook(({ id }: { id: string | null }) => useJob(id), {
    wrapper: below(backend),
    initialProps: { id: 'none' } as { id: string | null },
  });
  await eventually(() => expect(result.current.error?.status).toBe(404));
  rerender({ id: jobId });
  await eventually(() => expect(result.current.job?.status).toBe('queued'));
  expect(result.current.error).toBeNull();
  await act(() => result.current.cancel());
  await eventually(() => expect(result.current.job?.status).toBe('cancelled'));
  rerender({ id: null });
  expect(result.current).toMatchObject({ job: null, isLoading: false, error: null });
});

it('useJob renders only for its own job', async () => {
  const backend = await startBackend();
  const mine = backend.create(backend.user);
  const other = backend.create(backend.user);
  let renders = 0;
  function One(): JSX.Element {
    renders += 1;
    return <p>{useJob(mine).job?.progress?.percent ?? 'none'}</p>;
  }
  function All(): JSX.Element {
    const [seen, setSeen] = useState(0);
    useBackgroundJobs({ onProgress: (_, { percent }) => setSeen(percent) });
    return <p>seen {seen}</p>;
  }
  const Wrapper = below(backend);
  render(<One />, { wrapper: Wrapper });
  render(<All />, { wrapper: Wrapper });
  await eventually(() => expect(backend.openSockets).toBe(1));
  act(() => backend.progress(mine, 5));
  expect(await screen.findByText('5')).toBeVisible();
  const before = renders;
  for (const percent of [10, 20, 30]) act(() => backend.progress(other, percent));
  expect(await screen.findByText('seen 30')).toBeVisible();
  expect(renders).toBe(before);
});
