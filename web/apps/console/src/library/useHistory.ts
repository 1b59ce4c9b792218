import type { Job } from '@careerlens/jobs-react';
import { useCallback, useEffect, useRef, useState } from 'react';

import type { Identity } from '../shell/identity';
import { readHistory } from '../shell/server';
import { toJob } from '@careerlens/jobs-react/core';

/** Past jobs, newest first. `jobs` is `null` until the first page has arrived. */
export interface History {
  readonly jobs: readonly Job[] | null;
  readonly loading: boolean;
  readonly error: unknown;
  /** Loads the next page; `null` when there is none. */
  readonly more: (() => void) | null;
  readonly retry: () => void;
}

interface Loaded {
  readonly jobs: readonly Job[] | null;
  readonly cursor: string | null;
  readonly loading: boolean;
  readonly error: unknown;
}

const NOTHING: Loaded = { jobs: null, cursor: null, loading: true, error: null };

/** Reads the archive, and again from its start whenever `freshness` changes. */
export function useHistory(identity: Identity, freshness: unknown): History {
  const [loaded, setLoaded] = useState<Loaded>(NOTHING);
  const flight = useRef<AbortController | null>(null);

  const load = useCallback(
    (cursor: string | null) => {
      flight.current?.abort();
      const current = new AbortController();
      flight.current = current;
      setLoaded((before) => ({ ...before, loading: true, error: null }));
      readHistory(identity, cursor, current.signal).then(
        (page) => {
          if (current.signal.aborted) return;
          const jobs = page.jobs.map(toJob);
          setLoaded((before) => ({
            jobs: cursor === null ? jobs : [...(before.jobs ?? []), ...jobs],
            cursor: page.nextCursor,
            loading: false,
            error: null,
          }));
        },
        (error: unknown) => {
          if (current.signal.aborted) return;
          setLoaded((before) => ({ ...before, loading: false, error }));
        },
      );
    },
    [identity],
  );

  useEffect(() => {
    load(null);
    return () => {
      flight.current?.abort();
    };
  }, [load, freshness]);

  const { jobs, cursor, loading, error } = loaded;
  return {
    jobs,
    loading,
    error,
    more:
      cursor === null
        ? null
        : () => {
            load(cursor);
          },
    retry: () => {
      load(jobs === null ? null : cursor);
    },
  };
}
