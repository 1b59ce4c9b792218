/**
 * Reads what arrives from outside: the one door. What a page would stumble over is refused or left
 * out here; for the rest the server is trusted, since it could only lead to a wrong word.
 */

import { feedIdOf } from './feed-id.js';
import type { JobCreatedResponse, JobProgress, JobStatusResponse, JobUpdate, QueuePlace } from './types.js';

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; none of anything else. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function numberOf(value: unknown): number | null {
  return Number.isFinite(value) ? (value as number) : null;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function readProgress(value: unknown): JobProgress | null {
  const { percent, message, step, data } = fieldsOf(value);
  if (numberOf(percent) === null) return null;
  return {
    percent: Math.min(100, Math.max(0, percent as number)),
    message: textOf(message) ?? '',
    step: textOf(step),
    data: (data ?? null) as JobProgress['data'] & object,
  };
}

function readPlace(value: unknown): QueuePlace | null {
  const { position, estimatedWaitMs } = fieldsOf(value);
  if ((numberOf(position) ?? 0) < 1) return null;
  return { position: position as number, estimatedWaitMs: numberOf(estimatedWaitMs) };
}

function readJob(value: unknown): Fields | null {
  const fields = fieldsOf(value);
  const { jobId, type, status, progress, error, queue } = fields;
  if (![jobId, type, status].every((text) => typeof text === 'string')) return null;
  return { ...fields, progress: readProgress(progress), error: textOf(error), queue: readPlace(queue) };
}

/** A job's status or the answer to its creation, or null when it is neither. */
export function readStatus(value: unknown): (JobStatusResponse & JobCreatedResponse) | null {
  const job = readJob(value);
  return (job && numberOf(job['createdAt']) && job) as (JobStatusResponse & JobCreatedResponse) | null;
}

/** An entry of the feed, or null when it is not one. */
export function readUpdate(value: unknown): JobUpdate | null {
  const job = readJob(value);
  return (job && feedIdOf(job['id']) && job) as JobUpdate | null;
}
