/**
 * The browser's memory of a user's jobs: a cache that bridges reloads. The server's list is the
 * truth. Storage that is full, forbidden or garbled is as good as empty.
 */

import { feedIdOf, isAfter } from './feed-id.js';
import { isFinal } from './job.js';
import type { JobStatusResponse } from './types.js';
import { fieldsOf, listOf, readStatus } from './wire.js';

export interface StoredJob extends JobStatusResponse {
  /** Its end has been announced. */
  readonly settled: boolean;
  readonly dismissed: boolean;
}

export interface StoredState {
  readonly jobs: readonly StoredJob[];
  readonly lastEventId: string | null;
}

const MAX_LIVE = 200;
const MAX_ENDED = 100;
/** Of the ended jobs, how many are shown after a reload; each costs a request for its result. */
const MAX_SHOWN = 20;
/** As long as the server can resume a feed: until then it may still tell of the job. */
const ENDED_FOR_MS = 48 * 60 * 60 * 1_000;

export function loadState(userId: string): StoredState {
  const { jobs, lastEventId } = fieldsOf(attempt(() => JSON.parse(localStorage.getItem(keyOf(userId)) ?? '') as unknown));
  return {
    jobs: listOf(jobs).flatMap((job) => readStored(job) ?? []),
    lastEventId: feedIdOf(lastEventId),
  };
}

/**
 * Store what this page knows, beside what the user's other tabs have stored: a tab that fell
 * behind takes back neither the place in the feed nor the ends that another one has announced.
 */
export function saveState(userId: string, state: StoredState): void {
  replaceState(userId, merge(loadState(userId), state));
}

/** Store what this page knows, whatever was stored. */
export function replaceState(userId: string, state: StoredState): void {
  const kept: StoredState = { jobs: worthKeeping(state.jobs), lastEventId: state.lastEventId };
  attempt(() => localStorage.setItem(keyOf(userId), JSON.stringify(kept)));
}

function merge(stored: StoredState, ours: StoredState): StoredState {
  const isBehind = !!stored.lastEventId && isAfter(stored.lastEventId, ours.lastEventId);
  const [newer, older] = isBehind ? [stored, ours] : [ours, stored];
  const before = new Map(older.jobs.map((job) => [job.jobId, job]));
  // At the same place in the feed, or without one, whoever knows of an end has it from polling, and is right.
  const isLevel = !older.lastEventId || stored.lastEventId === ours.lastEventId;
  const jobs = newer.jobs.map((job) => {
    const other = before.get(job.jobId);
    if (isLevel && other?.settled && !job.settled) return other;
    // Only of an ended job: a running one may be dismissed in one tab and watched in another.
    return { ...job, dismissed: job.dismissed || (!!other?.dismissed && other.settled) };
  });
  // Of what is new here, a tab that fell behind knows something too.
  const added = isBehind ? ours.jobs.filter(({ jobId }) => !jobs.some((job) => job.jobId === jobId)) : [];
  return { jobs: [...jobs, ...added], lastEventId: newer.lastEventId };
}

/** Forget a user's jobs in this browser, for example when they sign out. */
export function forgetStoredJobs(userId: string): void {
  attempt(() => localStorage.removeItem(keyOf(userId)));
}

function keyOf(userId: string): string {
  return `careerlens:jobs:${userId}`;
}

function worthKeeping(jobs: readonly StoredJob[]): StoredJob[] {
  const oldest = Date.now() - ENDED_FOR_MS;
  const newestFirst = [...jobs].sort((a, b) => b.createdAt - a.createdAt);
  const live = newestFirst.filter((job) => !job.settled).slice(0, MAX_LIVE);
  const ended = newestFirst.filter((job) => job.settled && (job.completedAt ?? job.createdAt) > oldest);
  let shown = 0;
  const hidden = ended.slice(0, MAX_ENDED).map((job) => {
    if (!job.dismissed) shown += 1;
    return { ...job, dismissed: job.dismissed || shown > MAX_SHOWN };
  });
  return [...live, ...hidden];
}

function readStored(value: unknown): StoredJob | null {
  const status = readStatus(value);
  const { settled, dismissed } = fieldsOf(value);
  return status && { ...status, settled: settled === true && isFinal(status.status), dismissed: dismissed === true };
}

/** Private windows and full quotas throw on any access, garbled text when it is read: the jobs go on without a memory. */
function attempt<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch {
    return undefined;
  }
}
