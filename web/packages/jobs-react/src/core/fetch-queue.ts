import { timings } from './timings.js';

type Timer = ReturnType<typeof setTimeout>;

const PARALLEL_FETCHES = 4;

/** Fetches jobs one by one, a few at a time, each until it succeeds. */
export class FetchQueue {
  readonly #fetch: (jobId: string, isCurrent: () => boolean) => Promise<boolean>;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #resting = new Map<string, Timer>();
  readonly #tries = new Map<string, number>();
  #generation = 0;

  constructor(fetch: (jobId: string, isCurrent: () => boolean) => Promise<boolean>) {
    this.#fetch = fetch;
  }

  /** Fetch `jobId`; once more if that is under way, since its answer may be too old. */
  add_(jobId: string): void {
    if (this.#resting.has(jobId)) return;
    this.#waiting.add(jobId);
    this.#next();
  }

  /** Do not wait any longer with what failed before. */
  retryNow_(): void {
    for (const [jobId, timer] of [...this.#resting]) {
      clearTimeout(timer);
      this.#resting.delete(jobId);
      this.#waiting.add(jobId);
    }
    this.#tries.clear();
    this.#next();
  }

  clear_(): void {
    this.#generation += 1;
    for (const timer of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
    this.#waiting.clear();
    this.#running.clear();
    this.#tries.clear();
  }

  #next(): void {
    for (const jobId of this.#waiting) {
      if (this.#running.size >= PARALLEL_FETCHES) return;
      if (this.#running.has(jobId)) continue;
      this.#waiting.delete(jobId);
      this.#running.add(jobId);
      void this.#run(jobId);
    }
  }

  async #run(jobId: string): Promise<void> {
    const generation = this.#generation;
    const isCurrent = (): boolean => generation === this.#generation;
    const again = await this.#fetch(jobId, isCurrent);
    if (!isCurrent()) return;
    this.#running.delete(jobId);
    if (again) this.#rest(jobId);
    else this.#tries.delete(jobId);
    this.#next();
  }

  #rest(jobId: string): void {
    const tries = (this.#tries.get(jobId) ?? 0) + 1;
    this.#tries.set(jobId, tries);
    const wait = Math.min(timings.retryMax_, timings.retryMin_ * 2 ** (tries - 1));
    const retry = (): void => {
      this.#resting.delete(jobId);
      this.add_(jobId);
    };
    this.#resting.set(jobId, setTimeout(retry, wait));
  }
}
