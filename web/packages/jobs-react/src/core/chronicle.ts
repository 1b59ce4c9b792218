/** The book, and everybody it matters to: who looks at it, who is told of events, and the browser's storage. */

import { createJobBook, type Consequence } from './book.js';
import type { JobFailedError, JobsApiError } from './errors.js';
import { loadState, replaceState, saveState, type StoredState } from './storage.js';
import { createTimer } from './timer.js';
import { timings } from './timings.js';
import type { ConnectionStatus, Job, JobInput, JobProgress } from './types.js';

/** What the client shows. A new object for every change, the same one in between. */
export interface JobsSnapshot {
  /** Newest first. */
  readonly jobs: readonly Job[];
  readonly status: ConnectionStatus;
  /** What keeps updates from coming, while something does. */
  readonly error: JobsApiError | null;
}

/** Told once of each event. */
export interface JobsObserver {
  readonly onProgress?: ((jobId: string, progress: JobProgress) => void) | undefined;
  readonly onComplete?: ((jobId: string, result: unknown) => void) | undefined;
  readonly onError?: ((jobId: string, error: JobFailedError) => void) | undefined;
  readonly onCancel?: ((jobId: string) => void) | undefined;
}

export const EMPTY_SNAPSHOT: JobsSnapshot = { jobs: [], status: 'idle', error: null };

const MAX_INPUTS = 50;

/** `situation`: what is shown beside the jobs. `fetch` asks for a job's status. */
export function createChronicle(
  userId: string,
  situation: () => Omit<JobsSnapshot, 'jobs'>,
  fetch: (jobId: string) => void,
) {
  const book_ = createJobBook();
  let snapshot = EMPTY_SNAPSHOT;
  const listeners = new Set<() => void>();
  const observers = new Set<JobsObserver>();
  /** What this page's jobs were created from, so that one that failed can be created again. */
  const inputs_ = new Map<string, JobInput>();
  let isRestored = false;
  const showing = createTimer(show_);
  const keeping = createTimer(keep_);

  const state = (): StoredState => ({ jobs: book_.stored_(), lastEventId: book_.lastEventId_ });

  /** Tell what follows from news, and show and store that the book has changed. */
  function follow_(consequences: readonly Consequence[]): void {
    consequences.forEach(followOne);
    changed_();
  }

  function followOne([kind, jobId, what]: Consequence): void {
    if (kind === 'fetch') return fetch(jobId);
    if (kind === 'confirm') {
      // The feed may tell this end itself within a moment; when nobody listens, it is told another time.
      const settle = (): void => {
        if (situation().status !== 'idle') follow_(book_.settleHeld_(jobId));
      };
      setTimeout(settle, timings.confirm_);
      return;
    }
    if (kind !== 'onProgress') {
      // An end is stored before it is told, so that a reload in between cannot tell it again.
      flush_();
      if (kind !== 'onError') inputs_.delete(jobId);
    }
    for (const observer of [...observers]) {
      try {
        observer[kind]?.(jobId, what as never);
      } catch (error) {
        // The listener's own fault, which must not keep others from hearing: report it as uncaught.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }

  /** Show and store a change together with what else changes until then. */
  function changed_(): void {
    showing.start_(timings.publish_);
    keeping.start_(timings.persist_);
  }

  function show_(): void {
    showing.stop_();
    const next = { jobs: book_.jobs_(), ...situation() };
    if (isSame(next, snapshot)) return;
    snapshot = next;
    lookAgain_();
  }

  /** Have everybody look again, also at what the snapshot does not hold. */
  function lookAgain_(): void {
    for (const listener of [...listeners]) listener();
  }

  /** Store and show at once. */
  function flush_(): void {
    keep_();
    show_();
  }

  function keep_(): void {
    keeping.stop_();
    if (isRestored) saveState(userId, state());
  }

  return {
    book_,
    inputs_,

    get snapshot_() {
      return snapshot;
    },

    subscribe_(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    observe_(observer: JobsObserver): () => void {
      observers.add(observer);
      return () => observers.delete(observer);
    },

    remember_(jobId: string, input: JobInput): void {
      inputs_.set(jobId, input);
      const [oldest = ''] = inputs_.keys();
      if (inputs_.size > MAX_INPUTS) inputs_.delete(oldest);
    },

    /** Read what storage has: once, and before anything is written into the book. */
    restore_(): void {
      if (isRestored) return;
      isRestored = true;
      const { jobs, lastEventId } = loadState(userId);
      book_.restore_(jobs, lastEventId);
    },

    /** Store the book as it is, whatever other tabs have stored. */
    overwrite_(): void {
      replaceState(userId, state());
    },

    follow_,
    changed_,
    show_,
    lookAgain_,
    keep_,
    flush_,
  };
}

function isSame(a: JobsSnapshot, b: JobsSnapshot): boolean {
  return (
    a.status === b.status &&
    a.error === b.error &&
    a.jobs.length === b.jobs.length &&
    a.jobs.every((job, index) => job === b.jobs[index])
  );
}
