'use client';

import type { JSX, ReactNode } from 'react';

import type { JobsClient, JobsObserver } from '../core/client.js';
import { sharedClient } from '../core/registry.js';
import type { AuthToken } from '../core/types.js';
import { createContext, useContext, useEffect, useMemo, useRef } from './react.js';

/** Whose jobs, and where from. */
export interface JobsSource {
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

export interface JobsProviderProps extends JobsSource, JobsObserver {
  readonly children?: ReactNode;
}

const Source = createContext<JobsSource | null>(null);

/**
 * Says once whose jobs the components below are about, and keeps them up to date as long as it is
 * mounted. Its callbacks are called for every job, whichever components there are.
 */
export function JobsProvider({ children, ...options }: JobsProviderProps): JSX.Element {
  const { userId, authToken, apiUrl, socketUrl } = options;
  const source = useMemo(() => ({ userId, authToken, apiUrl, socketUrl }), [userId, authToken, apiUrl, socketUrl]);
  useRetained(useClient(source), source.authToken, options);
  return <Source.Provider value={source}>{children}</Source.Provider>;
}

/** The source of the provider above, with what `own` says instead. */
export function useSource(own: Partial<JobsSource> = {}): JobsSource {
  const provided = useContext(Source);
  if (own.userId === undefined) {
    if (provided) return provided;
    throw new Error('Give a `userId`, or put a <JobsProvider> above.');
  }
  // A component that names its user says all that it does not share with the provider's.
  return { ...(own.userId === provided?.userId && provided), ...(defined(own) as JobsSource) };
}

/** The page's client for a source. */
export function useClient({ userId, apiUrl, socketUrl }: JobsSource): JobsClient {
  return sharedClient({ userId, apiUrl, socketUrl });
}

/** Keep `client` awake, with this token, and tell the latest render's callbacks of its events. */
export function useRetained(client: JobsClient, authToken: AuthToken | undefined, observer: JobsObserver): void {
  const latestToken = useRef(authToken);
  // Declared before the effect that reads it: effects run in order.
  useEffect(() => {
    latestToken.current = authToken;
    // A copy, since several components may be given the same object.
    return client.observe({ ...observer });
  });
  useEffect(() => client.retain(() => latestToken.current), [client]);

  // A function is asked whenever a token is needed; only a new string is news.
  const fixedToken = typeof authToken === 'string' ? authToken : null;
  useEffect(() => {
    if (fixedToken !== null) client.tokenChanged();
  }, [client, fixedToken]);
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
