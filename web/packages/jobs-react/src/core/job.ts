/** Turns what the server says into what the application sees. */

import type { Job, JobProgress, JobStatus, JobStatusResponse, JobUpdate } from './types.js';

const FINAL: readonly JobStatus[] = ['completed', 'failed', 'cancelled'];

export function isFinal(status: JobStatus): boolean {
  return FINAL.includes(status);
}

/** A job of which only what it must have is known. */
const PLAIN = {
  progress: null,
  result: null,
  error: null,
  errorCode: null,
  attemptsMade: 0,
  maxAttempts: 1,
  cancelRequested: false,
  retrying: false,
  queue: null,
};
const TIMES = ['createdAt', 'startedAt', 'completedAt', 'delayedUntil'] as const;

export function toJob(status: JobStatusResponse): Job {
  const job = { ...PLAIN, ...status, ...times(status, (ms: number) => new Date(ms)) };
  return job.status === 'queued' ? job : { ...job, queue: null };
}

/** The wire form again, for storage: without the result, which may be private and large. */
export function toStored({ result: _, ...job }: Job): JobStatusResponse {
  return { ...job, ...times(job, (date: Date) => date.getTime()) };
}

type Times<T> = { readonly [name in (typeof TIMES)[number]]: T };

/** Every time of `job`, turned by `turn`; null where there is none. */
function times<From, To>(job: Partial<Times<From | null>>, turn: (time: From) => To): Times<To> {
  return Object.fromEntries(TIMES.map((name) => [name, job[name] == null ? null : turn(job[name])])) as Times<To>;
}

/** A job that the feed speaks of and we had not heard of. */
export function jobFromUpdate(update: JobUpdate): Job {
  return toJob({
    jobId: update.jobId,
    type: update.type,
    status: isFinal(update.status) ? 'processing' : update.status,
    // Our ids read `user:type:createdAtMs:random`; foreign ones may read anything.
    createdAt: Number(/:(\d{13}):[^:]+$/.exec(update.jobId)?.[1] ?? update.timestamp),
  });
}

/** `job` moved on by what the feed says of a job that has not ended. */
export function moveOn(job: Job, update: JobUpdate): Job {
  return {
    ...job,
    status: update.status,
    progress: update.progress ?? (update.event === 'retrying' ? null : job.progress),
    error: update.error ?? null,
    errorCode: update.errorCode ?? null,
    startedAt: update.event === 'processing' ? new Date(update.timestamp) : job.startedAt,
    attemptsMade: update.attemptsMade ?? job.attemptsMade,
    delayedUntil: update.delayedUntil ? new Date(update.delayedUntil) : null,
    retrying: update.event === 'retrying' || (job.retrying && update.status === 'queued'),
    queue: update.event === 'queued' ? job.queue : null,
  };
}

/** `job` as failed or cancelled, by what the feed says. */
export function endedBy(job: Job, update: JobUpdate): Job {
  return {
    ...moveOn(job, update),
    progress: job.progress,
    completedAt: new Date(update.timestamp),
    retrying: false,
  };
}

export function sameProgress(a: JobProgress, b: JobProgress): boolean {
  return a.percent === b.percent && a.message === b.message && a.step === b.step;
}
