import { jittered } from './backoff.js';
import { createTimer } from './timer.js';
import { timings } from './timings.js';
import type { Job } from './types.js';

/**
 * Asks for places in line while jobs wait there, since they move without an event: soon after a job
 * has joined, unless it has started by then, and now and again as long as one waits.
 */
export function createPlaceWatch(ask: () => void) {
  let waiting: readonly string[] = [];
  const next = createTimer(() => {
    next.start_(jittered(timings.placeAgain_));
    ask();
  });

  return {
    /** These are the jobs now. */
    look_(jobs: readonly Job[]): void {
      const before = waiting;
      waiting = jobs.filter(isInLine).map((job) => job.jobId);
      if (!waiting.length) next.stop_();
      else if (waiting.some((jobId) => !before.includes(jobId))) next.restart_(jittered(timings.placeFirst_));
    },

    /** Somebody looks again, perhaps after a long time. */
    refresh_(): void {
      if (waiting.length) next.restart_(0);
    },
  };
}

function isInLine(job: Job): boolean {
  return job.status === 'queued' && !job.delayedUntil && !job.retrying;
}
