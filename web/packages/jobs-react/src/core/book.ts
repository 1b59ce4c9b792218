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
  job: Job;
  /** The end has been announced. */
  settled: boolean;
  /** The user does not want to see it any more. */
  dismissed: boolean;
  /** The feed said `completed`; the result is being fetched. */
  finishing: boolean;
  /** It was completed, but of its result nothing is known here, so there is nothing to show yet. */
  lacksResult: boolean;
  /** The feed's id of the end, if it was the feed that told. */
  finalId: string | null;
  /** An end that an answer told and the feed has yet to confirm. */
  held: JobStatusResponse | null;
  /** How far an answer showed the job ahead of the feed. */
  shown: Mark | null;
  /** How far polling announced the job ahead of the feed. */
  told: Mark | null;
  /** The progress last announced. */
  announced: JobProgress | null;
  /** `clock` when the feed, or a request of ours, last changed it. */
  touched: number;
}

interface Mark {
  readonly attempt: number;
  readonly status: JobStatus;
  readonly progress: JobProgress | null;
}

const MAX_ENDED = 200;
const REOPENING: ReadonlySet<JobUpdate['event']> = new Set(['queued', 'delayed', 'processing', 'retrying']);

export class JobBook {
  readonly #entries = new Map<string, Entry>();
  #lastEventId: string | null = null;
  #clock = 0;

  /** Where to resume the feed; null before its first entry. */
  get lastEventId(): string | null {
    return this.#lastEventId;
  }

  /** Counts changes. Take it before a request, and give it with the answer. */
  get clock(): number {
    return this.#clock;
  }

  /** The jobs to show, newest first. */
  jobs(): Job[] {
    return [...this.#entries.values()]
      .filter((entry) => !entry.dismissed && !entry.lacksResult)
      .map((entry) => entry.job)
      .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  }

  /** Ids of jobs whose end has not been announced. */
  live(): string[] {
    return this.#idsOf((entry) => !entry.settled);
  }

  /** Ids of completed jobs to be shown whose result has yet to be fetched. */
  awaitingResult(): string[] {
    return this.#idsOf((entry) => entry.lacksResult && !entry.dismissed);
  }

  knows(jobId: string): boolean {
    return this.#entries.has(jobId);
  }

  /** Whether the feed said that the job is completed and its result has yet to be had. */
  isFinishing(jobId: string): boolean {
    return this.#entries.get(jobId)?.finishing === true;
  }

  /** The whole job, shown or not; null when too little is known of it. */
  find(jobId: string): Job | null {
    const entry = this.#entries.get(jobId);
    return entry === undefined || entry.lacksResult ? null : entry.job;
  }

  /**
   * Take in a job that somebody asked about and that ended before we heard of it: neither shown
   * nor announced. Returns false for any other, whose answer is news like all others.
   */
  recall(status: JobStatusResponse): boolean {
    if (!isFinal(status.status) || this.#entries.has(status.jobId)) return false;
    const entry = newEntry(toJob(status));
    entry.settled = true;
    entry.dismissed = true;
    this.#entries.set(status.jobId, entry);
    return true;
  }

  restore(jobs: readonly StoredJob[], lastEventId: string | null): void {
    this.#lastEventId = lastEventId;
    for (const { settled, dismissed, ...status } of jobs) {
      const entry = newEntry(toJob(status));
      entry.settled = settled;
      entry.dismissed = dismissed;
      entry.lacksResult = settled && status.status === 'completed';
      entry.announced = entry.job.progress;
      this.#entries.set(status.jobId, entry);
    }
  }

  stored(): StoredJob[] {
    return [...this.#entries.values()].map((entry) => ({
      ...toStored(entry.job),
      settled: entry.settled,
      dismissed: entry.dismissed,
    }));
  }

  /** The feed has a gap and goes on from `id`. */
  skipTo(id: string | null): void {
    this.#lastEventId = id;
  }

  created(created: JobCreatedResponse): void {
    const known = this.#entries.get(created.jobId);
    if (known !== undefined) {
      // The feed was faster; it knows all but the time of creation.
      known.job = { ...known.job, createdAt: new Date(created.createdAt) };
      return;
    }
    const entry = newEntry(toJob(created));
    this.#touch(entry);
    this.#entries.set(created.jobId, entry);
  }

  cancelRequested(jobId: string): void {
    const entry = this.#entries.get(jobId);
    if (entry === undefined || entry.settled) return;
    entry.job = { ...entry.job, cancelRequested: true };
  }

  /** Stop showing a job. It stays known, so that late news of it is not taken for a new job. */
  dismiss(jobId: string): void {
    const entry = this.#entries.get(jobId);
    if (entry !== undefined) entry.dismissed = true;
  }

  /** Take in one entry of the feed. */
  update(update: JobUpdate): Consequence[] {
    if (!isAfter(update.id, this.#lastEventId)) return [];
    this.#lastEventId = update.id;

    const entry = this.#entries.get(update.jobId) ?? this.#meet(update);
    if (entry === null) return [];
    this.#touch(entry);
    if (update.event === 'removed') return entry.settled ? [] : [{ kind: 'fetch', jobId: update.jobId }];
    if (isFinal(update.status)) return this.#end(entry, update);
    if (REOPENING.has(update.event)) entry.finishing = false;
    if (entry.settled && !reopen(entry, update)) return [];
    return update.event === 'progress' ? progressed(entry, update) : changed(entry, update);
  }

  /** Take in the answer to a request that was sent at `askedAt` on our clock. */
  answer(status: JobStatusResponse, kind: AnswerKind, askedAt: number): Consequence[] {
    const known = this.#entries.get(status.jobId);
    const entry = known ?? newEntry(toJob(status));
    if (known === undefined) this.#entries.set(status.jobId, entry);

    if (isFinal(status.status)) {
      if (entry.settled) return takeResult(entry, status);
      // `completed` from the feed asked for exactly this answer.
      if (kind === 'polled' || entry.finishing) return this.#settle(entry, status);
      entry.held = status;
      return [{ kind: 'confirm', jobId: status.jobId }];
    }
    if (entry.touched > askedAt || entry.finishing) return [];
    if (entry.settled) reset(entry);
    const cancelRequested = entry.job.cancelRequested;
    const job = toJob(status);
    entry.job = job.cancelRequested === cancelRequested ? job : { ...job, cancelRequested: true };
    return ahead(entry, kind);
  }

  /** The feed had its time to confirm an end that an answer told; announce it now. */
  settleHeld(jobId: string): Consequence[] {
    const entry = this.#entries.get(jobId);
    return entry === undefined || entry.held === null ? [] : this.#settle(entry, entry.held);
  }

  /** The server knows no such job (any more). */
  gone(jobId: string): Consequence[] {
    const entry = this.#entries.get(jobId);
    if (entry === undefined) return [];
    if (entry.finishing) {
      entry.settled = true;
      entry.finishing = false;
      entry.job = { ...entry.job, status: 'completed', completedAt: new Date() };
      return [failure(jobId, 'The job is done, but its result is no longer kept.', 'result_unavailable')];
    }
    this.#entries.delete(jobId);
    return entry.settled ? [] : [failure(jobId, 'The job no longer exists.', 'job_not_found')];
  }

  /** Ids of live jobs that a complete list, asked for at `askedAt`, should have named and did not. */
  missingFrom(list: readonly JobStatusResponse[], askedAt: number): string[] {
    const named = new Set(list.map((status) => status.jobId));
    return this.#idsOf((entry) => !entry.settled && entry.touched <= askedAt).filter((id) => !named.has(id));
  }

  #meet(update: JobUpdate): Entry | null {
    if (update.event === 'removed') return null;
    const entry = newEntry(jobFromUpdate(update));
    this.#entries.set(update.jobId, entry);
    return entry;
  }

  #touch(entry: Entry): void {
    this.#clock += 1;
    entry.touched = this.#clock;
  }

  #end(entry: Entry, update: JobUpdate): Consequence[] {
    entry.finalId = update.id;
    if (entry.settled) return [];
    if (entry.held?.status === update.status) return this.#settle(entry, entry.held);
    if (update.status === 'completed') {
      entry.finishing = true;
      return [{ kind: 'fetch', jobId: update.jobId }];
    }
    return this.#settle(entry, toStored(endedBy(entry.job, update)));
  }

  #settle(entry: Entry, status: JobStatusResponse): Consequence[] {
    entry.job = toJob(status);
    entry.settled = true;
    entry.finishing = false;
    entry.lacksResult = false;
    entry.held = null;
    this.#dropOldest();
    return [ending(status)];
  }

  /** Ended jobs are a courtesy of this page, not its archive. */
  #dropOldest(): void {
    const ended = [...this.#entries.values()].filter((entry) => entry.settled);
    if (ended.length <= MAX_ENDED) return;
    ended.sort((a, b) => endOf(a) - endOf(b));
    for (const { job } of ended.slice(0, ended.length - MAX_ENDED)) this.#entries.delete(job.jobId);
  }

  #idsOf(wanted: (entry: Entry) => boolean): string[] {
    return [...this.#entries.values()].filter(wanted).map((entry) => entry.job.jobId);
  }
}

/** Of a job of which nothing has been told yet. */
const FRESH: Omit<Entry, 'job' | 'touched'> = {
  settled: false,
  dismissed: false,
  finishing: false,
  lacksResult: false,
  finalId: null,
  held: null,
  shown: null,
  told: null,
  announced: null,
};

function newEntry(job: Job): Entry {
  return { ...FRESH, job, touched: 0 };
}

function reset(entry: Entry): void {
  Object.assign(entry, FRESH);
}

/** Whether the feed reopened an ended job (an operator retried it), rather than caught up with its past. */
function reopen(entry: Entry, update: JobUpdate): boolean {
  if (entry.finalId === null || !REOPENING.has(update.event)) return false;
  reset(entry);
  entry.job = { ...entry.job, progress: null, result: null, completedAt: null, cancelRequested: false };
  return true;
}

function progressed(entry: Entry, update: JobUpdate): Consequence[] {
  const progress = update.progress ?? null;
  if (progress === null) return [];
  if (!isBehind(entry.shown, update)) {
    entry.job = moveOn(entry.job, update);
    entry.shown = null;
  }
  const { told } = entry;
  if (told?.progress && sameProgress(told.progress, progress)) {
    entry.told = null;
    return [];
  }
  if (isBehind(told, update)) return [];
  entry.told = null;
  entry.announced = progress;
  return [{ kind: 'progress', jobId: update.jobId, progress }];
}

function changed(entry: Entry, update: JobUpdate): Consequence[] {
  if (isOvertaken(entry.shown, update)) return [];
  entry.job = moveOn(entry.job, update);
  entry.shown = null;
  if (update.event === 'retrying') entry.told = null;
  return [];
}

/** Whether an answer has already shown the job beyond this change. */
function isOvertaken(shown: Mark | null, update: JobUpdate): boolean {
  if (shown === null) return false;
  if ((update.attemptsMade ?? 0) > shown.attempt) return false;
  return shown.progress !== null || (shown.status === 'processing' && update.status === 'queued');
}

function isBehind(mark: Mark | null, update: JobUpdate): boolean {
  if (mark === null) return false;
  const attempt = update.attemptsMade ?? mark.attempt;
  if (attempt !== mark.attempt) return attempt < mark.attempt;
  return (update.progress?.percent ?? 0) < (mark.progress?.percent ?? 0);
}

/** Note how far an answer has shown the job ahead of the feed, and announce what only polling can. */
function ahead(entry: Entry, kind: AnswerKind): Consequence[] {
  const { job } = entry;
  const mark: Mark = { attempt: job.attemptsMade, status: job.status, progress: job.progress };
  entry.shown = mark;
  if (kind !== 'polled' || job.progress === null) return [];
  if (entry.announced !== null && sameProgress(entry.announced, job.progress)) return [];
  entry.told = mark;
  entry.announced = job.progress;
  return [{ kind: 'progress', jobId: job.jobId, progress: job.progress }];
}

function takeResult(entry: Entry, status: JobStatusResponse): Consequence[] {
  if (status.status === entry.job.status) entry.job = toJob(status);
  entry.lacksResult = false;
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
  return (entry.job.completedAt ?? entry.job.createdAt).getTime();
}
