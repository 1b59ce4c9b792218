'use client';

import { NO_TEXT, sharedStream, type JobText } from '../core/stream.js';
import { useSource, type JobsSource } from './jobs-provider.js';
import { useCallback, useEffect, useRef, useSyncExternalStore } from './react.js';

export interface UseJobStreamOptions extends Partial<JobsSource> {
  /** Called once for each job, with its whole text, when that has ended. */
  readonly onEnd?: ((text: string) => void) | undefined;
}

export type UseJobStreamResult = JobText;

/**
 * What a job writes, word by word: the text so far at once, then what comes. It goes on after any
 * break where it was, without losing or doubling a character, and begins anew when the job is
 * tried again. Components that show the same job share one connection. A null id is no job. Needs
 * a `JobsProvider` above, or `userId`.
 */
export function useJobStream(jobId: string | null, options: UseJobStreamOptions = {}): UseJobStreamResult {
  const { onEnd, ...own } = options;
  const { userId, apiUrl, authToken } = useSource(own);
  const stream = jobId === null ? null : sharedStream({ userId, apiUrl, jobId });

  // Before the subscription: effects run in order, and it needs the token.
  useEffect(() => stream?.use(authToken), [stream, authToken]);
  const subscribe = useCallback((listener: () => void) => stream?.subscribe(listener) ?? (() => undefined), [stream]);
  const found = useSyncExternalStore(subscribe, () => stream?.getSnapshot() ?? NO_TEXT, () => NO_TEXT);

  const told = useRef<unknown>(null);
  useEffect(() => {
    if (stream === null || !found.isEnded || told.current === stream) return;
    told.current = stream;
    onEnd?.(found.text);
  });
  return found;
}
