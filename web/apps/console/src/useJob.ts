import type { Job } from '@careerlens/jobs-react';
import { isFinal, JobsApi, toJob } from '@careerlens/jobs-react/core';
import { useCallback, useEffect, useState } from 'react';

import type { Identity } from './shell/identity';

interface Known {
  readonly job: Job | null;
  readonly error: unknown;
  readonly retry: () => void;
}

/**
 * One job by its id: the followed one, or else what the server knows of it.
 *
 * A running job that is asked for by its link is not followed yet; `onRefresh` makes it so.
 */
export function useJob(
  identity: Identity,
  jobId: string,
  followed: Job | null,
  onRefresh: () => Promise<void>,
): Known {
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const isFollowed = followed !== null;

  useEffect(() => {
    if (isFollowed) return;
    let wanted = true;
    const api = new JobsApi({
      apiUrl: '',
      userId: identity.userId,
      token: () => Promise.resolve(identity.authToken),
    });
    const load = async () => {
      const found = toJob(await api.status(jobId));
      if (!wanted) return;
      setJob(found);
      setError(null);
      if (!isFinal(found.status)) await onRefresh();
    };
    load().catch((reason: unknown) => {
      if (wanted) setError(reason);
    });
    return () => {
      wanted = false;
    };
  }, [identity, jobId, isFollowed, onRefresh, attempt]);

  const retry = useCallback(() => {
    setError(null);
    setAttempt((count) => count + 1);
  }, []);
  return { job: followed ?? job, error, retry };
}
