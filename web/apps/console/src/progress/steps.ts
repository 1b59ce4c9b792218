import type { JobProgress } from '@careerlens/jobs-react';

import { forgetStored, local, readStored, writeStored } from '../shell/storage';

/** One true step of a job, as its handler named it. */
export interface Step {
  readonly key: string;
  readonly message: string;
  readonly percent: number;
  /** When this page first heard of it, epoch milliseconds. */
  readonly sinceMs: number;
}

export type StepLog = readonly Step[];

const keyOf = (progress: JobProgress): string => progress.step ?? progress.message;

/**
 * The log with one more report in it.
 *
 * A report of the current step refreshes its words. The first step once more means that another
 * attempt has begun, and so does the log; any other step already passed is a replay and changes
 * nothing.
 */
export function withProgress(log: StepLog, progress: JobProgress, nowMs: number): StepLog {
  const key = keyOf(progress);
  if (key === '') return log;
  const step: Step = { key, message: progress.message || key, percent: progress.percent, sinceMs: nowMs };
  const last = log.at(-1);
  if (last === undefined) return [step];
  if (last.key === key) {
    if (last.message === step.message && last.percent === step.percent) return log;
    if (step.percent < last.percent) return log;
    return [...log.slice(0, -1), { ...step, sinceMs: last.sinceMs }];
  }
  const known = log.findIndex((passed) => passed.key === key && passed.percent === step.percent);
  if (known > 0) return log;
  if (known === 0 || step.percent < last.percent) return [step];
  return [...log, step];
}

function parseLog(text: string): StepLog {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isStep) : [];
  } catch {
    return [];
  }
}

function isStep(value: unknown): value is Step {
  if (typeof value !== 'object' || value === null) return false;
  const { key, message, percent, sinceMs } = value as Record<string, unknown>;
  return (
    typeof key === 'string' &&
    typeof message === 'string' &&
    typeof percent === 'number' &&
    typeof sinceMs === 'number'
  );
}

const EMPTY: StepLog = [];
const PREFIX = 'careerlens:console:steps:';

/** Forgets the stored steps of all jobs. */
export function forgetSteps(): void {
  forgetStored(local, PREFIX);
}

/**
 * The steps of each job in flight, kept in this browser, so that a reload half-way shows the way
 * already gone.
 */
export class StepLogs {
  readonly #logs = new Map<string, StepLog>();
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  /** The steps of a job so far. The same array until one is added. */
  of(jobId: string): StepLog {
    let log = this.#logs.get(jobId);
    if (log === undefined) {
      const stored = readStored(local, this.#key(jobId));
      log = stored === null ? EMPTY : parseLog(stored);
      this.#logs.set(jobId, log);
    }
    return log;
  }

  record(jobId: string, progress: JobProgress, nowMs: number): void {
    const before = this.of(jobId);
    const after = withProgress(before, progress, nowMs);
    if (after === before) return;
    this.#logs.set(jobId, after);
    writeStored(local, this.#key(jobId), JSON.stringify(after));
    this.#notify();
  }

  /** Forgets the stored steps of a job that is over; the page that shows them keeps them. */
  forget(jobId: string): void {
    writeStored(local, this.#key(jobId), null);
  }

  #key(jobId: string): string {
    return `${PREFIX}${jobId}`;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
