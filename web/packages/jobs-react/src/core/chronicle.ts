/** The book, and everybody it matters to: who looks at it, who is told of events, and the browser's storage. */

import { JobBook, type Consequence } from './book.js';
import type { JobFailedError, JobsApiError } from './errors.js';
import { loadState, replaceState, saveState, type StoredState } from './storage.js';
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

type Timer = ReturnType<typeof setTimeout>;

const MAX_INPUTS = 50;

export class Chronicle {
  readonly book_ = new JobBook();
  snapshot_ = EMPTY_SNAPSHOT;

  readonly #userId: string;
  readonly #situation: () => Omit<JobsSnapshot, 'jobs'>;
  readonly #fetch: (jobId: string) => void;
  readonly #listeners = new Set<() => void>();
  readonly #observers = new Set<JobsObserver>();
  /** What this page's jobs were created from, so that one that failed can be created again. */
  readonly #inputs = new Map<string, JobInput>();
  /** Ends that an answer has told, held back for a moment in which the feed may tell them itself. */
  readonly #held = new Map<string, Timer>();
  #isRestored = false;
  #showTimer: Timer | undefined;
  #keepTimer: Timer | undefined;

  /** `situation`: what is shown beside the jobs. `fetch` asks for a job's status. */
  constructor(userId: string, situation: () => Omit<JobsSnapshot, 'jobs'>, fetch: (jobId: string) => void) {
    this.#userId = userId;
    this.#situation = situation;
    this.#fetch = fetch;
  }

  subscribe_(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  observe_(observer: JobsObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  inputOf_(jobId: string): JobInput | undefined {
    return this.#inputs.get(jobId);
  }

  remember_(jobId: string, input: JobInput): void {
    this.#inputs.set(jobId, input);
    const [oldest = ''] = this.#inputs.keys();
    if (this.#inputs.size > MAX_INPUTS) this.#inputs.delete(oldest);
  }

  forget_(jobId: string): void {
    this.#inputs.delete(jobId);
  }

  /** Read what storage has: once, and before anything is written into the book. */
  restore_(): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    const { jobs, lastEventId } = loadState(this.#userId);
    this.book_.restore_(jobs, lastEventId);
  }

  /** Tell what follows from news, and show and store that the book has changed. */
  follow_(consequences: readonly Consequence[]): void {
    for (const consequence of consequences) this.#followOne(consequence);
    this.changed_();
  }

  /** Show and store a change together with what else changes until then. */
  changed_(): void {
    this.#showTimer ??= setTimeout(() => this.show_(), timings.publish_);
    this.#keepTimer ??= setTimeout(() => this.keep_(), timings.persist_);
  }

  show_(): void {
    clearTimeout(this.#showTimer);
    this.#showTimer = undefined;
    const next = { jobs: this.book_.jobs_(), ...this.#situation() };
    if (isSame(next, this.snapshot_)) return;
    this.snapshot_ = next;
    this.lookAgain_();
  }

  /** Have everybody look again, also at what the snapshot does not hold. */
  lookAgain_(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  keep_(): void {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = undefined;
    if (this.#isRestored) saveState(this.#userId, this.#state());
  }

  /** Store the book as it is, whatever other tabs have stored. */
  overwrite_(): void {
    replaceState(this.#userId, this.#state());
  }

  /** Nobody listens any more: what is held back is told another time. */
  rest_(): void {
    for (const timer of this.#held.values()) clearTimeout(timer);
    this.#held.clear();
    this.keep_();
    this.show_();
  }

  #state(): StoredState {
    return { jobs: this.book_.stored_(), lastEventId: this.book_.lastEventId_ };
  }

  #followOne(consequence: Consequence): void {
    const { jobId, kind } = consequence;
    if (kind === 'fetch') return this.#fetch(jobId);
    if (kind === 'confirm') return this.#hold(jobId);
    if (kind === 'progress') return this.#tell((observer) => observer.onProgress?.(jobId, consequence.progress));
    // An end is stored before it is told, so that a reload in between cannot tell it again.
    this.keep_();
    this.show_();
    if (kind === 'error') return this.#tell((observer) => observer.onError?.(jobId, consequence.error));
    this.forget_(jobId);
    if (kind === 'complete') this.#tell((observer) => observer.onComplete?.(jobId, consequence.result));
    else this.#tell((observer) => observer.onCancel?.(jobId));
  }

  #hold(jobId: string): void {
    clearTimeout(this.#held.get(jobId));
    const settle = (): void => {
      this.#held.delete(jobId);
      this.follow_(this.book_.settleHeld_(jobId));
    };
    this.#held.set(jobId, setTimeout(settle, timings.confirm_));
  }

  #tell(call: (observer: JobsObserver) => void): void {
    for (const observer of [...this.#observers]) {
      try {
        call(observer);
      } catch (error) {
        // The listener's own fault, which must not keep others from hearing: report it as uncaught.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }
}

function isSame(a: JobsSnapshot, b: JobsSnapshot): boolean {
  return (
    a.status === b.status &&
    a.error === b.error &&
    a.jobs.length === b.jobs.length &&
    a.jobs.every((job, index) => job === b.jobs[index])
  );
}
