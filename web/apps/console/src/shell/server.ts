import { JobsApiError, type JobStatusResponse } from '@careerlens/jobs-react';

import { fieldsOf, isFields, recordsOf, textsOf } from './fields';
import type { Identity } from './identity';

/** What the server tells every visitor about itself. */
export interface ServerConfig {
  readonly developmentIdentity: boolean;
  readonly maxUploadBytes: number;
}

/** A page of past jobs. `nextCursor` is where the next one starts, `null` after the last. */
export interface HistoryPage {
  readonly jobs: readonly JobStatusResponse[];
  readonly nextCursor: string | null;
}

const TIMEOUT_MS = 10_000;
const DEFAULT_MAX_UPLOAD_BYTES = 5 * 1024 * 1024;

/**
 * Reads one of the routes that are about the product rather than about a job; jobs are the business
 * of `@careerlens/jobs-react`. Raises `JobsApiError`.
 */
async function read(path: string, identity: Identity | null, signal?: AbortSignal): Promise<unknown> {
  const headers = new Headers({ accept: 'application/json' });
  if (identity !== null) {
    headers.set('x-user-id', identity.userId);
    if (identity.authToken !== null) headers.set('authorization', `Bearer ${identity.authToken}`);
  }
  const patience = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(path, {
      headers,
      cache: 'no-store',
      signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
    });
    const text = await response.text();
    body = parse(text);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new JobsApiError({
      status: 0,
      code: patience.aborted ? 'timeout' : 'network',
      title: 'The server could not be reached',
    });
  }
  if (response.ok) return body;
  const { title, detail } = fieldsOf(body);
  throw new JobsApiError({
    status: response.status,
    code: `http_${response.status}`,
    title: typeof title === 'string' ? title : `The server answered ${response.status}`,
    detail: typeof detail === 'string' ? detail : '',
    requestId: response.headers.get('x-request-id'),
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

export async function readConfig(signal: AbortSignal): Promise<ServerConfig> {
  const config = fieldsOf(await read('/api/config', null, signal));
  const bytes = config['maxUploadBytes'];
  return {
    developmentIdentity: config['developmentIdentity'] === true,
    maxUploadBytes: typeof bytes === 'number' && bytes > 0 ? bytes : DEFAULT_MAX_UPLOAD_BYTES,
  };
}

const isStatus = (value: unknown): value is JobStatusResponse =>
  isFields(value) &&
  typeof value['jobId'] === 'string' &&
  typeof value['type'] === 'string' &&
  typeof value['status'] === 'string' &&
  typeof value['createdAt'] === 'number';

export async function readHistory(
  identity: Identity,
  cursor: string | null,
  signal: AbortSignal,
): Promise<HistoryPage> {
  const query = new URLSearchParams({ limit: '20' });
  if (cursor !== null) query.set('cursor', cursor);
  const { jobs, nextCursor } = fieldsOf(await read(`/api/jobs/history?${query}`, identity, signal));
  return {
    jobs: Array.isArray(jobs) ? jobs.filter(isStatus) : [],
    nextCursor: typeof nextCursor === 'string' ? nextCursor : null,
  };
}

/** The roles named as examples of `targetRole` in the job type's schema, or none. */
export async function readRoles(
  identity: Identity,
  jobType: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const types = recordsOf(await read('/api/job-types', identity, signal));
  const described = types.find(({ type }) => type === jobType);
  return described === undefined ? [] : rolesOf(described['schema']);
}

/** The examples of a schema's `targetRole`, wherever the schema's generator put them. */
export function rolesOf(schema: unknown): readonly string[] {
  const field = fieldsOf(fieldsOf(fieldsOf(schema)['properties'])['targetRole']);
  return (
    [field, ...recordsOf(field['anyOf'])]
      .map(({ examples }) => textsOf(examples))
      .find((examples) => examples.length > 0) ?? []
  );
}
