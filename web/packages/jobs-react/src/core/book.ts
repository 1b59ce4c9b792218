/**
 * What is known of a user's jobs, and the rules by which news changes it. Pure data: no timers, no
 * network. Each method returns what the world has to be told, in order.
 *
 * News comes two ways. The *feed* tells every change once and in order, by id. An *answer* to a
 * request is one job's whole state at some moment, and may be older or newer than the feed's last
 * word. The rules that keep them from contradicting each other in front of the user:
 *
 * - an entry of the feed counts once: ids at or below the last one are old news;
 * - an answer that was asked for before the feed's last word on its job is old news;
 * - what an answer showed ahead of the feed is not taken back when the feed catches up;
 * - a job ends once. Only the feed, later than the end it told itself, can reopen it.
 */

import { JobFailedError } from './errors.js';
import { isAfter } from './feed-id.js';
import { endedBy, isFinal, jobFromUpdate, moveOn, sameProgress, toJob, toStored } from './job.js';
import type { StoredJob } from './storage.js';
import type { Job, JobCreatedResponse, JobProgress, JobStatus, JobStatusResponse, JobUpdate } from './types.js';

/** What follows from a piece of news. `fetch` asks for the job's status, the rest is for listeners. */
export type Consequence =
  | readonly [kind: 'onProgress', jobId: string, progress: JobProgress]
  | readonly [kind: 'onComplete', jobId: string, result: unknown]
  | readonly [kind: 'onError', jobId: string, error: JobFailedError]
  | readonly [kind: 'onCancel' | 'fetch' | 'confirm', jobId: string];

/**
 * How an answer came about. `asked`: the feed will tell the same in its own time, so progress is
 * shown but not announced, and an end is held back until the feed tells it or `settleHeld` is
 * called. `polled`: nobody else will tell, so all of it is announced.
 */
export type AnswerKind = 'asked' | 'polled';

interface Entry {
  job_: Job;
  /** `clock` when the feed, or a request of ours, last changed it. */
  touched_: number;
  /** The end has been announced. */
  settled_?: boolean;
  /** The user does not want to see it any more. */
  dismissed_?: boolean;
  /** The feed said `completed`; the result is being fetched. */
  finishing_?: boolean;
  /** It was completed, but of its result nothing is known here, so there is nothing to show yet. */
  lacksResult_?: boolean;
  /** It was the feed that told the end. */
  isFinal_?: boolean;
  /** An end that an answer told and the feed has yet to confirm. */
  held_?: Job | null;
  /** How far an answer showed the job ahead of the feed. */
  shown_?: Mark | null;
  /** How far polling announced the job ahead of the feed. */
  told_?: Mark | null;
  /** The progress last announced. */
  announced_?: JobProgress | null;
}

interface Mark {
  readonly attempt_: number;
  readonly status_: JobStatus;
  readonly progress_: JobProgress | null;
}

const MAX_ENDED = 200;
const REOPENING: readonly JobUpdate['event'][] = ['queued', 'delayed', 'processing', 'retrying'];

export type JobBook = ReturnType<typeof createJobBook>;

export function createJobBook() {
  const entries = new Map<string, Entry>();
  let lastEventId: string | null = null;
  let clock = 0;

  const idsOf = (wanted: (entry: Entry) => boolean | undefined): string[] =>
    [...entries.values()].filter(wanted).map((entry) => entry.job_.jobId);

  /** Of a new job, or an old one that begins anew, nothing has been told yet. */
  function meet(job: Job, touched_ = 0): Entry {
    const entry = { job_: job, touched_ };
    entries.set(job.jobId, entry);
    return entry;
  }

  function touch(entry: Entry): void {
    clock += 1;
    entry.touched_ = clock;
  }

  function end(entry: Entry, update: JobUpdate): Consequence[] {
    entry.isFinal_ = true;
    if (entry.settled_) return [];
    if (entry.held_?.status === update.status) return settle(entry, entry.held_);
    if (update.status !== 'completed') return settle(entry, endedBy(entry.job_, update));
    entry.finishing_ = true;
    return [['fetch', update.jobId]];
  }

  function settle(entry: Entry, job: Job): Consequence[] {
    Object.assign(entry, { job_: job, settled_: true, finishing_: false, lacksResult_: false, held_: null });
    dropOldest();
    return [ending(job)];
  }

  /** Ended jobs are a courtesy of this page, not its archive. */
  function dropOldest(): void {
    const ended = [...entries.values()].filter((entry) => entry.settled_).sort((a, b) => endOf(b) - endOf(a));
    for (const { job_: job } of ended.slice(MAX_ENDED)) entries.delete(job.jobId);
  }

  return {
    /** Where to resume the feed; null before its first entry. */
    get lastEventId_() {
      return lastEventId;
    },

    /** Counts changes. Take it before a request, and give it with the answer. */
    get clock_() {
      return clock;
    },

    /** The jobs to show, newest first. */
    jobs_(): Job[] {
      return [...entries.values()]
        .filter((entry) => !entry.dismissed_ && !entry.lacksResult_)
        .map((entry) => entry.job_)
        .sort((a, b) => +b.createdAt - +a.createdAt);
    },

    /** Whether there are jobs whose end has not been announced. */
    isWaiting_(): boolean {
      return [...entries.values()].some((entry) => !entry.settled_);
    },

    /** Ids of completed jobs to be shown whose result has yet to be fetched. */
    awaitingResult_(): string[] {
      return idsOf((entry) => entry.lacksResult_ && !entry.dismissed_);
    },

    /** Whether the feed said that the job is completed and its result has yet to be had. */
    isFinishing_(jobId: string): boolean {
      return !!entries.get(jobId)?.finishing_;
    },

    /** The whole job, shown or not; null when too little is known of it. */
    find_(jobId: string): Job | null {
      const entry = entries.get(jobId);
      return entry && !entry.lacksResult_ ? entry.job_ : null;
    },

    /**
     * Take in a job that somebody asked about and that ended before we heard of it: neither shown
     * nor announced. Returns false for any other, whose answer is news like all others.
     */
    recall_(status: JobStatusResponse): boolean {
      if (!isFinal(status.status) || entries.has(status.jobId)) return false;
      Object.assign(meet(toJob(status)), { settled_: true, dismissed_: true });
      return true;
    },

    restore_(jobs: readonly StoredJob[], at: string | null): void {
      lastEventId = at;
      for (const { settled, dismissed, ...status } of jobs) {
        const entry = meet(toJob(status));
        entry.settled_ = settled;
        entry.dismissed_ = dismissed;
        entry.lacksResult_ = settled && status.status === 'completed';
        entry.announced_ = entry.job_.progress;
      }
    },

    stored_(): StoredJob[] {
      return [...entries.values()].map((entry) => ({
        ...toStored(entry.job_),
        settled: !!entry.settled_,
        dismissed: !!entry.dismissed_,
      }));
    },

    /** The feed has a gap and goes on from `id`. */
    skipTo_(id: string | null): void {
      lastEventId = id;
    },

    created_(created: JobCreatedResponse): void {
      const known = entries.get(created.jobId);
      // The feed may have been faster; it knows all but the time of creation.
      if (known) known.job_ = { ...known.job_, createdAt: new Date(created.createdAt) };
      else touch(meet(toJob(created)));
    },

    cancelRequested_(jobId: string): void {
      const entry = entries.get(jobId);
      if (entry && !entry.settled_) entry.job_ = { ...entry.job_, cancelRequested: true };
    },

    /** Stop showing a job. It stays known, so that late news of it is not taken for a new job. */
    dismiss_(jobId: string): void {
      const entry = entries.get(jobId);
      if (entry) entry.dismissed_ = true;
    },

    /** Take in one entry of the feed. */
    update_(update: JobUpdate): Consequence[] {
      const { jobId, event } = update;
      if (!isAfter(update.id, lastEventId)) return [];
      lastEventId = update.id;

      const known = entries.get(jobId);
      if (event === 'removed') {
        if (known) touch(known);
        return known && !known.settled_ ? [['fetch', jobId]] : [];
      }
      let entry = known ?? meet(jobFromUpdate(update));
      touch(entry);
      if (isFinal(update.status)) return end(entry, update);
      const isReopening = REOPENING.includes(event);
      if (isReopening) entry.finishing_ = false;
      if (entry.settled_) {
        // An operator retried it, unless the feed catches up with its past.
        if (!isReopening || !entry.isFinal_) return [];
        entry = meet({ ...entry.job_, ...ANEW }, clock);
      }
      return event === 'progress' ? progressed(entry, update) : changed(entry, update);
    },

    /** Take in the answer to a request that was sent at `askedAt` on our clock. */
    answer_(status: JobStatusResponse, kind: AnswerKind, askedAt: number): Consequence[] {
      const job = toJob(status);
      let entry = entries.get(job.jobId) ?? meet(job);

      if (isFinal(job.status)) {
        if (entry.settled_) return takeResult(entry, job);
        // `completed` from the feed asked for exactly this answer.
        if (kind === 'polled' || entry.finishing_) return settle(entry, job);
        entry.held_ = job;
        return [['confirm', job.jobId]];
      }
      if (entry.touched_ > askedAt || entry.finishing_) return [];
      if (entry.settled_) entry = meet(job, entry.touched_);
      entry.job_ = { ...job, cancelRequested: job.cancelRequested || entry.job_.cancelRequested };
      return ahead(entry, kind);
    },

    /** The feed had its time to confirm an end that an answer told; announce it now. */
    settleHeld_(jobId: string): Consequence[] {
      const entry = entries.get(jobId);
      return entry?.held_ ? settle(entry, entry.held_) : [];
    },

    /** The server knows no such job (any more). */
    gone_(jobId: string): Consequence[] {
      const entry = entries.get(jobId);
      if (!entry) return [];
      if (entry.finishing_) {
        settle(entry, { ...entry.job_, status: 'completed', completedAt: new Date() });
        return [failure(jobId, 'The result is no longer kept.', 'result_unavailable')];
      }
      entries.delete(jobId);
      return entry.settled_ ? [] : [failure(jobId, 'The job no longer exists.', 'job_not_found')];
    },

    /** Ids of live jobs that a complete list, asked for at `askedAt`, should have named and did not. */
    missingFrom_(list: readonly JobStatusResponse[], askedAt: number): string[] {
      return idsOf(
        ({ settled_, touched_, job_ }) =>
          !settled_ && touched_ <= askedAt && !list.some(({ jobId }) => jobId === job_.jobId),
      );
    },
  };
}

/** What a job loses that begins anew. */
const ANEW = { progress: null, result: null, completedAt: null, cancelRequested: false };

function progressed(entry: Entry, update: JobUpdate): Consequence[] {
  const { told_: told } = entry;
  const { progress } = update;
  if (!progress) return [];
  if (!isBehind(entry.shown_, update)) moveEntry(entry, update);
  const isTold = told?.progress_ && sameProgress(told.progress_, progress);
  if (!isTold && isBehind(told, update)) return [];
  entry.told_ = null;
  if (isTold) return [];
  return announce(entry, progress);
}

function changed(entry: Entry, update: JobUpdate): Consequence[] {
  if (isOvertaken(entry.shown_, update)) return [];
  moveEntry(entry, update);
  if (update.event === 'retrying') entry.told_ = null;
  return [];
}

function moveEntry(entry: Entry, update: JobUpdate): void {
  entry.job_ = moveOn(entry.job_, update);
  entry.shown_ = null;
}

function announce(entry: Entry, progress: JobProgress): Consequence[] {
  entry.announced_ = progress;
  return [['onProgress', entry.job_.jobId, progress]];
}

/** Whether an answer has already shown the job beyond this change. */
function isOvertaken(shown: Mark | null | undefined, { attemptsMade, status }: JobUpdate): boolean {
  if (!shown || (attemptsMade ?? 0) > shown.attempt_) return false;
  return !!shown.progress_ || (shown.status_ === 'processing' && status === 'queued');
}

function isBehind(mark: Mark | null | undefined, { attemptsMade, progress }: JobUpdate): boolean {
  if (!mark) return false;
  const attempts = (attemptsMade ?? mark.attempt_) - mark.attempt_;
  return (attempts || (progress?.percent ?? 0) - (mark.progress_?.percent ?? 0)) < 0;
}

/** Note how far an answer has shown the job ahead of the feed, and announce what only polling can. */
function ahead(entry: Entry, kind: AnswerKind): Consequence[] {
  const { attemptsMade, status, progress } = entry.job_;
  entry.shown_ = { attempt_: attemptsMade, status_: status, progress_: progress };
  if (kind !== 'polled' || !progress) return [];
  if (entry.announced_ && sameProgress(entry.announced_, progress)) return [];
  entry.told_ = entry.shown_;
  return announce(entry, progress);
}

function takeResult(entry: Entry, job: Job): Consequence[] {
  if (job.status === entry.job_.status) entry.job_ = job;
  entry.lacksResult_ = false;
  return [];
}

function ending({ jobId, status, result, error, errorCode }: Job): Consequence {
  if (status === 'completed') return ['onComplete', jobId, result];
  if (status === 'cancelled') return ['onCancel', jobId];
  return failure(jobId, error ?? 'The job failed.', errorCode ?? 'job_failed');
}

function failure(jobId: string, message: string, code: string): Consequence {
  return ['onError', jobId, new JobFailedError(jobId, message, code)];
}

function endOf({ job_: job }: Entry): number {
  return +(job.completedAt ?? job.createdAt);
}
