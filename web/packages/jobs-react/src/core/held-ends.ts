import { timings } from './timings.js';

/** Ends that an answer has told, held back for a moment in which the feed may tell them itself. */
export class HeldEnds {
  readonly #tell: (jobId: string) => void;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(tell: (jobId: string) => void) {
    this.#tell = tell;
  }

  hold(jobId: string): void {
    clearTimeout(this.#timers.get(jobId));
    const settle = (): void => {
      this.#timers.delete(jobId);
      this.#tell(jobId);
    };
    this.#timers.set(jobId, setTimeout(settle, timings.confirm));
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
