import { placeInWords } from '../core/place-in-words.js';
import type { Job, QueuePlace } from '../core/types.js';

/** Every word the notifications say. */
export interface JobLabels {
  /** The accessible name of the whole. */
  readonly region: string;
  /** Waiting, at a place in line that is not known. */
  readonly queued: string;
  readonly inLine: (place: QueuePlace) => string;
  readonly delayed: (until: Date) => string;
  readonly retrying: (attempt: number, attempts: number) => string;
  readonly processing: string;
  readonly completed: string;
  readonly failed: string;
  readonly cancelled: string;
  readonly cancel: string;
  readonly cancelling: string;
  readonly viewResult: string;
  readonly retry: string;
  /** The button that asks for leave to notify through the system. */
  readonly notify: string;
  readonly dismiss: string;
  readonly clearEnded: string;
  readonly showMore: (count: number) => string;
  readonly showFewer: string;
  /** Updates come by polling. */
  readonly polling: string;
  /** There is no network. */
  readonly offline: string;
  /** The server refuses the token. */
  readonly unauthorized: string;
}

export const ENGLISH: JobLabels = {
  region: 'Background jobs',
  queued: 'Waiting for its turn',
  inLine: placeInWords,
  delayed: (until) => `Starts at ${until.toLocaleTimeString()}`,
  retrying: (attempt, attempts) => `Did not work, trying again (${attempt} of ${attempts})`,
  processing: 'Working on it',
  completed: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  cancel: 'Cancel',
  cancelling: 'Cancelling…',
  viewResult: 'View result',
  retry: 'Try again',
  notify: 'Notify me when done',
  dismiss: 'Dismiss',
  clearEnded: 'Clear finished',
  showMore: (count) => `Show ${count} more`,
  showFewer: 'Show fewer',
  polling: 'Live updates are interrupted. Checking every few seconds.',
  offline: 'You are offline. Your jobs go on.',
  unauthorized: 'Your session has ended. Sign in again.',
};

/** `resume-optimization` as people write it: `Resume optimization`. */
export function titleOfType(job: Job): string {
  const words = job.type.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Where a job stands, in one line. */
export function messageOf(job: Job, labels: JobLabels): string {
  switch (job.status) {
    case 'queued':
      if (job.retrying) return labels.retrying(job.attemptsMade + 1, job.maxAttempts);
      if (job.delayedUntil !== null) return labels.delayed(job.delayedUntil);
      return job.queue === null ? labels.queued : labels.inLine(job.queue);
    case 'processing':
      if (job.cancelRequested) return labels.cancelling;
      return job.progress?.message || labels.processing;
    case 'failed':
      return job.error ?? labels.failed;
    default:
      return labels[job.status];
  }
}
