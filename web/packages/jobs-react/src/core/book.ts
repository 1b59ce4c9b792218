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
  | { readonly kind: 'progress'; readonly jobId: string; readonly progress: JobProgress }
  | { readonly kind: 'complete'; readonly jobId: string; readonly result: unknown }
  | { readonly kind: 'error'; readonly jobId: string; readonly error: JobFailedError }
  | { readonly kind: 'cancel'; readonly jobId: string }
  | { readonly kind: 'fetch'; readonly jobId: string }
  | { readonly kind: 'confirm'; readonly jobId: string };

/**
 * How an answer came about. `asked`: the feed will tell the same in its own time, so progress is
 * shown but not announced, and an end is held back until the feed tells it or `settleHeld` is
 * called. `polled`: nobody else will tell, so all of it is announced.
 */
export type AnswerKind = 'asked' | 'polled';

interface Entry {
  job_: Job;
  /** The end has been announced. */
  settled_: boolean;
  /** The user does not want to see it any more. */
  dismissed_: boolean;
  /** The feed said `completed`; the result is being fetched. */
  finishing_: boolean;
  /** It was completed, but of its result nothing is known here, so there is nothing to show yet. */
  lacksResult_: boolean;
  /** The feed's id of the end, if it was the feed that told. */
  finalId_: string | null;
  /** An end that an answer told and the feed has yet to confirm. */
  held_: JobStatusResponse | null;
  /** How far an answer showed the job ahead of the feed. */
  shown_: Mark | null;
  /** How far polling announced the job ahead of the feed. */
  told_: Mark | null;
  /** The progress last announced. */
  announced_: JobProgress | null;
  /** `clock` when the feed, or a request of ours, last changed it. */
  touched_: number;
}

interface Mark {
  readonly attempt_: number;
  readonly status_: JobStatus;
  readonly progress_: JobProgress | null;
}

const MAX_ENDED = 200;
const REOPENING: ReadonlySet<JobUpdate['event']> = new Set(['queued', 'delayed', 'processing', 'retrying']);

export class JobBook {
  readonly #entries = new Map<string, Entry>();
  #lastEventId: string | null = null;
  #clock = 0;

  /** Where to resume the feed; null before its first entry. */
  get lastEventId_(): string | null {
    return this.#lastEventId;
  }

  /** Counts changes. Take it before a request, and give it with the answer. */
  get clock_(): number {
    return this.#clock;
  }

  /** The jobs to show, newest first. */
  jobs_(): Job[] {
    return [...this.#entries.values()]
      .filter((entry) => !entry.dismissed_ && !entry.lacksResult_)
      .map((entry) => entry.job_)
      .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  }

  /** Ids of jobs whose end has not been announced. */
  live_(): string[] {
    return this.#idsOf((entry) => !entry.settled_);
  }

  /** Ids of completed jobs to be shown whose result has yet to be fetched. */
  awaitingResult_(): string[] {
    return this.#idsOf((entry) => entry.lacksResult_ && !entry.dismissed_);
  }

  knows_(jobId: string): boolean {
    return this.#entries.has(jobId);
  }

  /** Whether the feed said that the job is completed and its result has yet to be had. */
  isFinishing_(jobId: string): boolean {
    return this.#entries.get(jobId)?.finishing_ === true;
  }

  /** The whole job, shown or not; null when too little is known of it. */
  find_(jobId: string): Job | null {
    const entry = this.#entries.get(jobId);
    return entry === undefined || entry.lacksResult_ ? null : entry.job_;
  }

  /**
   * Take in a job that somebody asked about and that ended before we heard of it: neither shown
   * nor announced. Returns false for any other, whose answer is news like all others.
   */
  recall_(status: JobStatusResponse): boolean {
    if (!isFinal(status.status) || this.#entries.has(status.jobId)) return false;
    const entry = newEntry(toJob(status));
    entry.settled_ = true;
    entry.dismissed_ = true;
    this.#entries.set(status.jobId, entry);
    return true;
  }

  restore_(jobs: readonly StoredJob[], lastEventId: string | null): void {
    this.#lastEventId = lastEventId;
    for (const { settled, dismissed, ...status } of jobs) {
      const entry = newEntry(toJob(status));
      entry.settled_ = settled;
      entry.dismissed_ = dismissed;
      entry.lacksResult_ = settled && status.status === 'completed';
      entry.announced_ = entry.job_.progress;
      this.#entries.set(status.jobId, entry);
    }
  }

  stored_(): StoredJob[] {
    return [...this.#entries.values()].map((entry) => ({
      ...toStored(entry.job_),
      settled: entry.settled_,
      dismissed: entry.dismissed_,
    }));
  }

  /** The feed has a gap and goes on from `id`. */
  skipTo_(id: string | null): void {
    this.#lastEventId = id;
  }

  created_(created: JobCreatedResponse): void {
    const known = this.#entries.get(created.jobId);
    if (known !== undefined) {
      // The feed was faster; it knows all but the time of creation.
      known.job_ = { ...known.job_, createdAt: new Date(created.createdAt) };
      return;
    }
    const entry = newEntry(toJob(created));
    this.#touch(entry);
    this.#entries.set(created.jobId, entry);
  }

  cancelRequested_(jobId: string): void {
    const entry = this.#entries.get(jobId);
    if (entry === undefined || entry.settled_) return;
    entry.job_ = { ...entry.job_, cancelRequested: true };
  }

  /** Stop showing a job. It stays known, so that late news of it is not taken for a new job. */
  dismiss_(jobId: string): void {
    const entry = this.#entries.get(jobId);
    if (entry !== undefined) entry.dismissed_ = true;
  }

  /** Take in one entry of the feed. */
  update_(update: JobUpdate): Consequence[] {
    if (!isAfter(update.id, this.#lastEventId)) return [];
    this.#lastEventId = update.id;

    const entry = this.#entries.get(update.jobId) ?? this.#meet(update);
    if (entry === null) return [];
    this.#touch(entry);
    if (update.event === 'removed') return entry.settled_ ? [] : [{ kind: 'fetch', jobId: update.jobId }];
    if (isFinal(update.status)) return this.#end(entry, update);
    if (REOPENING.has(update.event)) entry.finishing_ = false;
    if (entry.settled_ && !reopen(entry, update)) return [];
    return update.event === 'progress' ? progressed(entry, update) : changed(entry, update);
  }

  /** Take in the answer to a request that was sent at `askedAt` on our clock. */
  answer_(status: JobStatusResponse, kind: AnswerKind, askedAt: number): Consequence[] {
    const known = this.#entries.get(status.jobId);
    const entry = known ?? newEntry(toJob(status));
    if (known === undefined) this.#entries.set(status.jobId, entry);

    if (isFinal(status.status)) {
      if (entry.settled_) return takeResult(entry, status);
      // `completed` from the feed asked for exactly this answer.
      if (kind === 'polled' || entry.finishing_) return this.#settle(entry, status);
      entry.held_ = status;
      return [{ kind: 'confirm', jobId: status.jobId }];
    }
    if (entry.touched_ > askedAt || entry.finishing_) return [];
    if (entry.settled_) reset(entry);
    const cancelRequested = entry.job_.cancelRequested;
    const job = toJob(status);
    entry.job_ = job.cancelRequested === cancelRequested ? job : { ...job, cancelRequested: true };
    return ahead(entry, kind);
  }

  /** The feed had its time to confirm an end that an answer told; announce it now. */
  settleHeld_(jobId: string): Consequence[] {
    const entry = this.#entries.get(jobId);
    return entry === undefined || entry.held_ === null ? [] : this.#settle(entry, entry.held_);
  }

  /** The server knows no such job (any more). */
  gone_(jobId: string): Consequence[] {
    const entry = this.#entries.get(jobId);
    if (entry === undefined) return [];
    if (entry.finishing_) {
      entry.settled_ = true;
      entry.finishing_ = false;
      entry.job_ = { ...entry.job_, status: 'completed', completedAt: new Date() };
      return [failure(jobId, 'The job is done, but its result is no longer kept.', 'result_unavailable')];
    }
    this.#entries.delete(jobId);
    return entry.settled_ ? [] : [failure(jobId, 'The job no longer exists.', 'job_not_found')];
  }

  /** Ids of live jobs that a complete list, asked for at `askedAt`, should have named and did not. */
  missingFrom_(list: readonly JobStatusResponse[], askedAt: number): string[] {
    const named = new Set(list.map((status) => status.jobId));
    return this.#idsOf((entry) => !entry.settled_ && entry.touched_ <= askedAt).filter((id) => !named.has(id));
  }

  #meet(update: JobUpdate): Entry | null {
    if (update.event === 'removed') return null;
    const entry = newEntry(jobFromUpdate(update));
    this.#entries.set(update.jobId, entry);
    return entry;
  }

  #touch(entry: Entry): void {
    this.#clock += 1;
    entry.touched_ = this.#clock;
  }

  #end(entry: Entry, update: JobUpdate): Consequence[] {
    entry.finalId_ = update.id;
    if (entry.settled_) return [];
    if (entry.held_?.status === update.status) return this.#settle(entry, entry.held_);
    if (update.status === 'completed') {
      entry.finishing_ = true;
      return [{ kind: 'fetch', jobId: update.jobId }];
    }
    return this.#settle(entry, toStored(endedBy(entry.job_, update)));
  }

  #settle(entry: Entry, status: JobStatusResponse): Consequence[] {
    entry.job_ = toJob(status);
    entry.settled_ = true;
    entry.finishing_ = false;
    entry.lacksResult_ = false;
    entry.held_ = null;
    this.#dropOldest();
    return [ending(status)];
  }

  /** Ended jobs are a courtesy of this page, not its archive. */
  #dropOldest(): void {
    const ended = [...this.#entries.values()].filter((entry) => entry.settled_);
    if (ended.length <= MAX_ENDED) return;
    ended.sort((a, b) => endOf(a) - endOf(b));
    for (const { job_: job } of ended.slice(0, ended.length - MAX_ENDED)) this.#entries.delete(job.jobId);
  }

  #idsOf(wanted: (entry: Entry) => boolean): string[] {
    return [...this.#entries.values()].filter(wanted).map((entry) => entry.job_.jobId);
  }
}

/** Of a job of which nothing has been told yet. */
const FRESH: Omit<Entry, 'job_' | 'touched_'> = {
  settled_: false,
  dismissed_: false,
  finishing_: false,
  lacksResult_: false,
  finalId_: null,
  held_: null,
  shown_: null,
  told_: null,
  announced_: null,
};

function newEntry(job: Job): Entry {
  return { ...FRESH, job_: job, touched_: 0 };
}

function reset(entry: Entry): void {
  Object.assign(entry, FRESH);
}

/** Whether the feed reopened an ended job (an operator retried it), rather than caught up with its past. */
function reopen(entry: Entry, update: JobUpdate): boolean {
  if (entry.finalId_ === null || !REOPENING.has(update.event)) return false;
  reset(entry);
  entry.job_ = { ...entry.job_, progress: null, result: null, completedAt: null, cancelRequested: false };
  return true;
}

function progressed(entry: Entry, update: JobUpdate): Consequence[] {
  const progress = update.progress ?? null;
  if (progress === null) return [];
  if (!isBehind(entry.shown_, update)) {
    entry.job_ = moveOn(entry.job_, update);
    entry.shown_ = null;
  }
  const { told_: told } = entry;
  if (told?.progress_ && sameProgress(told.progress_, progress)) {
    entry.told_ = null;
    return [];
  }
  if (isBehind(told, update)) return [];
  entry.told_ = null;
  entry.announced_ = progress;
  return [{ kind: 'progress', jobId: update.jobId, progress }];
}

function changed(entry: Entry, update: JobUpdate): Consequence[] {
  if (isOvertaken(entry.shown_, update)) return [];
  entry.job_ = moveOn(entry.job_, update);
  entry.shown_ = null;
  if (update.event === 'retrying') entry.told_ = null;
  return [];
}

/** Whether an answer has already shown the job beyond this change. */
function isOvertaken(shown: Mark | null, update: JobUpdate): boolean {
  if (shown === null) return false;
  if ((update.attemptsMade ?? 0) > shown.attempt_) return false;
  return shown.progress_ !== null || (shown.status_ === 'processing' && update.status === 'queued');
}

function isBehind(mark: Mark | null, update: JobUpdate): boolean {
  if (mark === null) return false;
  const attempt = update.attemptsMade ?? mark.attempt_;
  if (attempt !== mark.attempt_) return attempt < mark.attempt_;
  return (update.progress?.percent ?? 0) < (mark.progress_?.percent ?? 0);
}

/** Note how far an answer has shown the job ahead of the feed, and announce what only polling can. */
function ahead(entry: Entry, kind: AnswerKind): Consequence[] {
  const { job_: job } = entry;
  const mark: Mark = { attempt_: job.attemptsMade, status_: job.status, progress_: job.progress };
  entry.shown_ = mark;
  if (kind !== 'polled' || job.progress === null) return [];
  if (entry.announced_ !== null && sameProgress(entry.announced_, job.progress)) return [];
  entry.told_ = mark;
  entry.announced_ = job.progress;
  return [{ kind: 'progress', jobId: job.jobId, progress: job.progress }];
}

function takeResult(entry: Entry, status: JobStatusResponse): Consequence[] {
  if (status.status === entry.job_.status) entry.job_ = toJob(status);
  entry.lacksResult_ = false;
  return [];
}

function ending(status: JobStatusResponse): Consequence {
  const { jobId } = status;
  if (status.status === 'completed') return { kind: 'complete', jobId, result: status.result ?? null };
  if (status.status === 'cancelled') return { kind: 'cancel', jobId };
  return failure(jobId, status.error ?? 'The job failed.', status.errorCode ?? 'job_failed');
}

function failure(jobId: string, message: string, code: string): Consequence {
  return { kind: 'error', jobId, error: new JobFailedError(jobId, message, code) };
}

function endOf(entry: Entry): number {
  return (entry.job_.completedAt ?? entry.job_.createdAt).getTime();
}
