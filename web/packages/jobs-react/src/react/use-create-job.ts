'use client';

import { JobsApiError } from '../core/errors.js';
import type { InputOf, JobOf } from '../core/job-map.js';
import type { JobInput } from '../core/types.js';
import { useClient, useSource, type JobsSource } from './jobs-provider.js';
import { useCallback, useEffect, useRef, useState } from './react.js';
import { useJob } from './use-job.js';

export interface UseCreateJobResult<T extends string = string> {
  /** Create a job and follow it; resolves to its id, rejects with a `JobsApiError`. */
  readonly createJob: (input: InputOf<T>) => Promise<string>;
  /** The job created last, live. */
  readonly job: JobOf<T> | null;
  /** The server has not answered yet. */
  readonly isCreating: boolean;
  /** Why the last creation failed; its `errors` name each wrong field. */
  readonly error: JobsApiError | null;
  /** Forget the last job and its error; the job goes on. */
  readonly reset: () => void;
}

interface State {
  readonly jobId: string | null;
  readonly isCreating: boolean;
  readonly error: JobsApiError | null;
}

const NOTHING: State = { jobId: null, isCreating: false, error: null };

/**
 * Create jobs of one type and follow the last one, as a form does:
 * `useCreateJob<'resume-optimization'>()` knows the fields and the result. Needs a `JobsProvider`
 * above, or `source`.
 */
export function useCreateJob<T extends string = string>(source?: JobsSource): UseCreateJobResult<T> {
  const client = useClient(useSource(source));
  const [{ jobId, isCreating, error }, setState] = useState(NOTHING);
  // Of several creations the last one counts, and none once the component is gone or was reset.
  const turn = useRef(0);
  useEffect(
    () => () => {
      turn.current += 1;
    },
    [client],
  );

  const createJob = useCallback(
    async (input: InputOf<T>) => {
      const mine = (turn.current += 1);
      const become = (state: State): void => {
        if (turn.current === mine) setState(state);
      };
      become({ ...NOTHING, isCreating: true });
      try {
        const created = await client.createJob(input as JobInput);
        become({ ...NOTHING, jobId: created });
        return created;
      } catch (failure) {
        become({ ...NOTHING, error: failure instanceof JobsApiError ? failure : null });
        throw failure;
      }
    },
    [client],
  );
  const reset = useCallback(() => {
    turn.current += 1;
    setState(NOTHING);
  }, []);

  const { job } = useJob<T>(jobId, source);
  return { createJob, job, isCreating, error, reset };
}
