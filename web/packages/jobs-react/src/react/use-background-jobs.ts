'use client';

import { EMPTY_SNAPSHOT, type JobsObserver } from '../core/client.js';
import type { JobsApiError } from '../core/errors.js';
import type { CancelResponse, ConnectionStatus, Job, JobInput } from '../core/types.js';
import { useClient, useRetained, useSource, type JobsSource } from './jobs-provider.js';
import { useSyncExternalStore } from './react.js';

export interface UseBackgroundJobsOptions extends JobsSource, JobsObserver {}

export interface UseBackgroundJobsResult {
  /** The user's running jobs and those that ended lately, newest first. */
  readonly jobs: readonly Job[];
  /** Whether updates come live, over the socket. */
  readonly connected: boolean;
  /** How updates come, in more detail. */
  readonly status: ConnectionStatus;
  /** What keeps updates from coming, while something does. */
  readonly error: JobsApiError | null;
  /** Create a job and follow it; resolves to its id, rejects with a `JobsApiError`. */
  readonly createJob: (input: JobInput) => Promise<string>;
  /** Ask for a job to be cancelled; rejects with a `JobsApiError`. */
  readonly cancelJob: (jobId: string) => Promise<CancelResponse>;
  /** Create a job of this page again, from the same input; resolves to the new job's id. */
  readonly retryJob: (jobId: string) => Promise<string>;
  /** Whether `retryJob` can: this page created the job. */
  readonly canRetry: (jobId: string) => boolean;
  /** Stop showing a job; a running one goes on. */
  readonly dismissJob: (jobId: string) => void;
  /** Ask the server for the user's jobs now. */
  readonly refresh: () => Promise<void>;
}

/**
 * A user's background jobs, live.
 *
 * However many components use it, a page has one connection for each user. Each component's
 * callbacks are called once for each event; they may change from render to render, the latest
 * ones count. The returned functions keep their identity. Below a `JobsProvider` it needs no
 * options.
 */
export function useBackgroundJobs(options: UseBackgroundJobsOptions): UseBackgroundJobsResult;
export function useBackgroundJobs(options?: JobsObserver): UseBackgroundJobsResult;
export function useBackgroundJobs(options: Partial<UseBackgroundJobsOptions> = {}): UseBackgroundJobsResult {
  const source = useSource(options);
  const client = useClient(source);
  const { jobs, status, error } = useSyncExternalStore(client.subscribe, client.getSnapshot, () => EMPTY_SNAPSHOT);
  useRetained(client, source.authToken, options);

  return {
    jobs,
    connected: status === 'live',
    status,
    error,
    createJob: client.createJob,
    cancelJob: client.cancelJob,
    retryJob: client.retryJob,
    canRetry: client.canRetry,
    dismissJob: client.dismissJob,
    refresh: client.refresh,
  };
}
