/** Reads what arrives from outside. Whatever does not look as agreed is refused here, once. */

import { isFeedId } from './feed-id.js';
import type {
  CancelResponse,
  JobCreatedResponse,
  JobEventKind,
  JobProgress,
  JobStatus,
  JobStatusResponse,
  JobUpdate,
  QueuePlace,
} from './types.js';

const STATUSES: ReadonlySet<string> = new Set<JobStatus>([
  'queued',
  'processing',
  'completed',
  'failed',
  'cancelled',
]);
const EVENTS: ReadonlySet<string> = new Set<JobEventKind>([
  ...(STATUSES as ReadonlySet<JobStatus>),
  'delayed',
  'progress',
  'retrying',
  'removed',
]);

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function isStatus(value: unknown): value is JobStatus {
  return typeof value === 'string' && STATUSES.has(value);
}

function isEvent(value: unknown): value is JobEventKind {
  return typeof value === 'string' && EVENTS.has(value);
}

export function readProgress(value: unknown): JobProgress | null {
  if (!isFields(value)) return null;
  const percent = numberOf(value['percent']);
  if (percent === null) return null;
  return {
    percent: Math.min(100, Math.max(0, percent)),
    message: textOf(value['message']) ?? '',
    step: textOf(value['step']),
    data: isFields(value['data']) ? value['data'] : null,
  };
}

function readPlace(value: unknown): QueuePlace | null {
  if (!isFields(value)) return null;
  const position = numberOf(value['position']);
  if (position === null || position < 1) return null;
  return { position, estimatedWaitMs: numberOf(value['estimatedWaitMs']) };
}

/** A job's status, or null when it is not one. */
export function readStatus(value: unknown): JobStatusResponse | null {
  if (!isFields(value)) return null;
  const { jobId, type, status, createdAt } = value;
  if (typeof jobId !== 'string' || typeof type !== 'string' || !isStatus(status)) return null;
  if (typeof createdAt !== 'number') return null;
  return {
    jobId,
    type,
    status,
    createdAt,
    progress: readProgress(value['progress']),
    result: value['result'] ?? null,
    error: textOf(value['error']),
    errorCode: textOf(value['errorCode']),
    startedAt: numberOf(value['startedAt']),
    completedAt: numberOf(value['completedAt']),
    attemptsMade: numberOf(value['attemptsMade']) ?? 0,
    maxAttempts: numberOf(value['maxAttempts']) ?? 1,
    cancelRequested: value['cancelRequested'] === true,
    delayedUntil: numberOf(value['delayedUntil']),
    retrying: value['retrying'] === true,
    queue: readPlace(value['queue']),
  };
}

/** An entry of the feed, or null when it is not one. */
export function readUpdate(value: unknown): JobUpdate | null {
  if (!isFields(value)) return null;
  const { id, jobId, type, event, status, timestamp } = value;
  if (!isFeedId(id) || typeof jobId !== 'string' || typeof type !== 'string') return null;
  if (!isEvent(event) || !isStatus(status)) return null;
  return {
    id,
    jobId,
    type,
    event,
    status,
    progress: readProgress(value['progress']),
    error: textOf(value['error']),
    errorCode: textOf(value['errorCode']),
    attemptsMade: numberOf(value['attemptsMade']),
    delayedUntil: numberOf(value['delayedUntil']),
    timestamp: numberOf(timestamp) ?? Date.now(),
  };
}

export function readCreated(value: unknown): JobCreatedResponse | null {
  if (!isFields(value)) return null;
  const { jobId, type, status, createdAt, statusUrl, eventsUrl } = value;
  if (typeof jobId !== 'string' || typeof type !== 'string' || !isStatus(status)) return null;
  return {
    jobId,
    type,
    status,
    createdAt: numberOf(createdAt) ?? Date.now(),
    statusUrl: textOf(statusUrl) ?? '',
    eventsUrl: textOf(eventsUrl) ?? '',
  };
}

export function readCancel(value: unknown): CancelResponse | null {
  if (!isFields(value)) return null;
  const { jobId, status, outcome } = value;
  if (typeof jobId !== 'string' || !isStatus(status)) return null;
  if (outcome !== 'cancelled' && outcome !== 'cancelling' && outcome !== 'already_final') return null;
  return { jobId, status, outcome };
}
