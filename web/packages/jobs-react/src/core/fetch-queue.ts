import { timings } from './timings.js';

/** A job to be fetched. */
interface Errand {
  /** It waits for its turn, or for another one since the answer under way may be too old. */
  isDue_: boolean;
  isRunning_: boolean;
  /** How often in a row it was vain. */
  failures_: number;
  /** Until when it rests after that. */
  rest_?: ReturnType<typeof setTimeout> | undefined;
}

const PARALLEL_FETCHES = 4;

/** Fetches jobs one by one, a few at a time, each until it succeeds: until `fetch` returns false. */
export function createFetchQueue(fetch: (jobId: string, isCurrent: () => boolean) => Promise<boolean>) {
  const errands = new Map<string, Errand>();
  let running = 0;

  function next(): void {
    for (const [jobId, errand] of errands) {
      if (running < PARALLEL_FETCHES && errand.isDue_ && !errand.isRunning_) void run(jobId, errand);
    }
  }

  async function run(jobId: string, errand: Errand): Promise<void> {
    const isCurrent = (): boolean => errands.get(jobId) === errand;
    running += 1;
    errand.isDue_ = false;
    errand.isRunning_ = true;
    const isVain = await fetch(jobId, isCurrent);
    running -= 1;
    errand.isRunning_ = false;
    if (isVain && isCurrent()) {
      errand.isDue_ = false;
      errand.rest_ = setTimeout(() => wake(errand), Math.min(timings.retryMax_, timings.retryMin_ * 2 ** errand.failures_));
      errand.failures_ += 1;
    } else if (!errand.isDue_ && isCurrent()) errands.delete(jobId);
    next();
  }

  function wake(errand: Errand): void {
    clearTimeout(errand.rest_);
    errand.rest_ = undefined;
    errand.isDue_ = true;
    next();
  }

  return {
    /** Fetch `jobId`; once more if that is under way, since its answer may be too old. */
    add_(jobId: string): void {
      const errand = errands.get(jobId) ?? { isDue_: true, isRunning_: false, failures_: 0 };
      errands.set(jobId, errand);
      if (!errand.rest_) wake(errand);
    },

    /** Do not wait any longer with what failed before. */
    retryNow_(): void {
      for (const errand of errands.values()) {
        errand.failures_ = 0;
        if (errand.rest_) wake(errand);
      }
    },

    stop_(): void {
      for (const { rest_: rest } of errands.values()) clearTimeout(rest);
      errands.clear();
    },
  };
}
