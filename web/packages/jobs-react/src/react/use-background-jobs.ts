'use client';

import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';

import { EMPTY_SNAPSHOT, type JobsObserver } from '../core/client.js';
import type { JobsApiError } from '../core/errors.js';
import { sharedClient } from '../core/registry.js';
import type { AuthToken, CancelResponse, ConnectionStatus, Job, JobInput } from '../core/types.js';

export interface UseBackgroundJobsOptions extends JobsObserver {
  readonly userId: string;
  /**
   * The token that proves who is asking, or a function that gets a fresh one; the function is
   * called on each connection and each request. Without one, only a development server answers.
   */
  readonly authToken?: AuthToken | undefined;
  /** Where the API lives, without `/api`. Default: the page's own origin. */
  readonly apiUrl?: string | undefined;
  /** Where the Socket.IO gateway lives. Default: as the API says, else port 3001 of its host. */
  readonly socketUrl?: string | undefined;
}

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
 * ones count. The returned functions keep their identity.
 */
export function useBackgroundJobs(options: UseBackgroundJobsOptions): UseBackgroundJobsResult {
  const { userId, apiUrl, socketUrl, authToken } = options;
  const client = sharedClient({ userId, apiUrl, socketUrl });
  const { jobs, status, error } = useSyncExternalStore(client.subscribe, client.getSnapshot, emptySnapshot);

  // Declared before the effects that read it: effects run in order.
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });

  useEffect(() => {
    const stopObserving = client.observe({
      onProgress: (jobId, progress) => latest.current.onProgress?.(jobId, progress),
      onComplete: (jobId, result) => latest.current.onComplete?.(jobId, result),
      onError: (jobId, failure) => latest.current.onError?.(jobId, failure),
      onCancel: (jobId) => latest.current.onCancel?.(jobId),
    });
    const release = client.retain(() => latest.current.authToken);
    return () => {
      release();
      stopObserving();
    };
  }, [client]);

  // A function is asked whenever a token is needed; only a new string is news.
  const fixedToken = typeof authToken === 'string' ? authToken : null;
  useEffect(() => {
    if (fixedToken !== null) client.tokenChanged();
  }, [client, fixedToken]);

  return {
    jobs,
    connected: status === 'live',
    status,
    error,
    createJob: useCallback((input: JobInput) => client.createJob(input), [client]),
    cancelJob: useCallback((jobId: string) => client.cancelJob(jobId), [client]),
    dismissJob: useCallback((jobId: string) => client.dismissJob(jobId), [client]),
    refresh: useCallback(() => client.refresh(), [client]),
  };
}

function emptySnapshot(): typeof EMPTY_SNAPSHOT {
  return EMPTY_SNAPSHOT;
}
