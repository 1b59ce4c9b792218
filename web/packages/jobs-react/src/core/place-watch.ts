import { jittered } from './backoff.js';
import { timings } from './timings.js';
import type { Job } from './types.js';

/**
 * Asks for places in line while jobs wait there, since they move without an event: soon after a job
 * has joined, unless it has started by then, and now and again as long as one waits.
 */
export class PlaceWatch {
  readonly #ask: () => void;
  #waiting: ReadonlySet<string> = new Set();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** These are the jobs now. */
  look_(jobs: readonly Job[]): void {
    const before = this.#waiting;
    this.#waiting = new Set(jobs.filter(isInLine).map((job) => job.jobId));
    if (this.#waiting.size === 0) this.#stop();
    else if ([...this.#waiting].some((jobId) => !before.has(jobId))) this.#askIn(timings.placeFirst_);
  }

  /** Somebody looks again, perhaps after a long time. */
  refresh_(): void {
    if (this.#waiting.size > 0) this.#askIn(0);
  }

  #askIn(wait: number): void {
    this.#stop();
    this.#timer = setTimeout(() => {
      this.#askIn(timings.placeAgain_);
      this.#ask();
    }, jittered(wait));
  }

  #stop(): void {
    clearTimeout(this.#timer);
  }
}

function isInLine(job: Job): boolean {
  return job.status === 'queued' && job.delayedUntil === null && !job.retrying;
}
