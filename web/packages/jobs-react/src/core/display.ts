import type { JobsApiError } from './errors.js';
import { timings } from './timings.js';
import type { ConnectionStatus, Job } from './types.js';

/** What the client shows. A new object for every change, the same one in between. */
export interface JobsSnapshot {
  /** Newest first. */
  readonly jobs: readonly Job[];
  readonly status: ConnectionStatus;
  /** What keeps updates from coming, while something does. */
  readonly error: JobsApiError | null;
}

export const EMPTY_SNAPSHOT: JobsSnapshot = Object.freeze({
  jobs: Object.freeze([]),
  status: 'idle',
  error: null,
});

/** What can be seen of the client, and everybody who looks. */
export class Display {
  readonly #look: () => JobsSnapshot;
  readonly #listeners = new Set<() => void>();
  #snapshot = EMPTY_SNAPSHOT;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(look: () => JobsSnapshot) {
    this.#look = look;
  }

  get snapshot(): JobsSnapshot {
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Show a change together with what else changes until then. */
  refreshSoon(): void {
    this.#timer ??= setTimeout(() => this.refresh(), timings.publish);
  }

  refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const next = this.#look();
    if (isSame(next, this.#snapshot)) return;
    this.#snapshot = next;
    this.tell();
  }

  /** Have everybody look again, also at what the snapshot does not hold. */
  tell(): void {
    for (const listener of [...this.#listeners]) listener();
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
