'use client';

import { JobsApiError } from '../core/errors.js';
import type { JobOf } from '../core/job-map.js';
import type { CancelResponse } from '../core/types.js';
import { useClient, useRetained, useSource, type JobsSource } from './jobs-provider.js';
import { useCallback, useEffect, useState, useSyncExternalStore } from './react.js';

export interface UseJobResult<T extends string = string> {
  /** The job, live; null while it is being asked for, and when there is none. */
  readonly job: JobOf<T> | null;
  readonly isLoading: boolean;
  /** Why there is no job to show: `status` 404 when the user has none with this id. */
  readonly error: JobsApiError | null;
  /** Ask for it to be cancelled; rejects with a `JobsApiError`. */
  readonly cancel: () => Promise<CancelResponse>;
}

interface Failure {
  readonly jobId: string;
  readonly error: JobsApiError;
}

/**
 * One job by its id, also one that ended long ago. `useJob<'resume-optimization'>(id)` says which
 * type it is of. A null id is no job. Needs a `JobsProvider` above, or `source`.
 */
export function useJob<T extends string = string>(jobId: string | null, source?: JobsSource): UseJobResult<T> {
  const from = useSource(source);
  const client = useClient(from);
  useRetained(client, from.authToken, {});
  const find = (): JobOf<T> | null => (jobId === null ? null : (client.getJob(jobId) as JobOf<T> | null));
  const job = useSyncExternalStore(client.subscribe, find, () => null);
  const status = useSyncExternalStore(client.subscribe, () => client.getSnapshot().status, () => 'idle');
  const [failure, setFailure] = useState<Failure | null>(null);

  const isMissing = job === null && jobId !== null;
  useEffect(() => {
    if (!isMissing) return;
    let isCurrent = true;
    client.lookUp(jobId).catch((error: unknown) => {
      if (!(error instanceof JobsApiError)) throw error;
      if (isCurrent) setFailure({ jobId, error });
    });
    return () => {
      isCurrent = false;
    };
    // Asked again when the way to the server has changed: what failed may get through now.
  }, [client, jobId, isMissing, status]);

  const error = isMissing && failure?.jobId === jobId ? failure.error : null;
  const cancel = useCallback(() => client.cancelJob(jobId ?? ''), [client, jobId]);
  return { job, isLoading: isMissing && error === null, error, cancel };
}
