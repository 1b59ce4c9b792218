/** The API's routes as functions. Every failure is a `JobsApiError`. */

import { JobsApiError, type FieldError, type ProblemDetails } from './errors.js';
import { timings } from './timings.js';
import type { CancelResponse, JobCreatedResponse, JobStatusResponse } from './types.js';
import { isFields, numberOf, readCancel, readCreated, readStatus, textOf } from './wire.js';

const CREATE_ATTEMPTS = 3;
const MAX_PATIENCE_MS = 5_000;
/** What a request that got lost on the way looks like. */
const LOST: ReadonlySet<string | number> = new Set(['network', 'timeout', 502, 503, 504]);

export interface JobsApiOptions {
  /** Where the API lives, without `/api`; empty for the page's own origin. */
  readonly apiUrl: string;
  readonly userId: string;
  /** The token to send with the next request; null for none. */
  readonly token: () => Promise<string | null>;
}

interface RequestOptions {
  readonly method?: 'GET' | 'POST';
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export class JobsApi {
  readonly #options: JobsApiOptions;

  constructor(options: JobsApiOptions) {
    this.#options = options;
  }

  /**
   * Create a job from its type and fields. A request that was lost on the way is repeated under
   * the same idempotency key, so that it never makes two jobs.
   */
  async create(input: Readonly<Record<string, unknown>>): Promise<JobCreatedResponse> {
    const options = createRequest(input);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return read(await this.#request('/api/jobs', options), readCreated);
      } catch (error) {
        const wait = error instanceof JobsApiError ? patience(error, attempt) : null;
        if (wait === null || attempt === CREATE_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  async status(jobId: string): Promise<JobStatusResponse> {
    return read(await this.#request(`${jobPath(jobId)}/status`), readStatus);
  }

  async cancel(jobId: string): Promise<CancelResponse> {
    return read(await this.#request(`${jobPath(jobId)}/cancel`, { method: 'POST' }), readCancel);
  }

  /** The user's jobs that have not ended. */
  async list(): Promise<JobStatusResponse[]> {
    const answer = await this.#request('/api/jobs');
    if (!isFields(answer) || !Array.isArray(answer['jobs'])) throw unreadable();
    return answer['jobs'].map(readStatus).filter((status) => status !== null);
  }

  async #request(path: string, options: RequestOptions = {}): Promise<unknown> {
    const { token } = this.#options;
    const bearer = await obtain(token());
    const response = await this.#send(path, options, bearer);
    if (response.status !== 401) return answerOf(response);
    // The token may have expired between being handed out and being read: is there a newer one?
    const renewed = await obtain(token());
    return answerOf(renewed === bearer ? response : await this.#send(path, options, renewed));
  }

  async #send(path: string, options: RequestOptions, bearer: string | null): Promise<Response> {
    const { apiUrl, userId } = this.#options;
    const headers = { ...introduction(userId, bearer), ...options.headers, accept: 'application/json' };
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), options.timeoutMs ?? timings.request);
    try {
      const response = await fetch(`${apiUrl}${path}`, {
        method: options.method ?? 'GET',
        headers,
        body: options.body ?? null,
        cache: 'no-store',
        signal: timeout.signal,
      });
      // Read here, so that the time-out covers the body as well.
      const body = await response.arrayBuffer();
      return new Response(NO_BODY.has(response.status) ? null : body, response);
    } catch (error) {
      throw timeout.signal.aborted ? timedOut() : unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

export function jobPath(jobId: string): string {
  return `/api/jobs/${encodeURIComponent(jobId)}`;
}

/** The headers that say who is asking. */
export function introduction(userId: string, bearer: string | null): Record<string, string> {
  return {
    // Only printable ASCII fits a header; the token names the user in any case.
    ...(/^[\x21-\x7e]+$/.test(userId) ? { 'x-user-id': userId } : {}),
    ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
  };
}

/** A token from whoever hands them out, who may fail. */
export async function obtain(token: Promise<string | null>): Promise<string | null> {
  try {
    return await token;
  } catch (cause) {
    throw noToken(cause);
  }
}

function createRequest(input: Readonly<Record<string, unknown>>): RequestOptions {
  const key = { 'idempotency-key': `"${randomKey()}"` };
  const fields = Object.entries(input).filter(([, value]) => value !== undefined);
  if (!fields.some(([, value]) => value instanceof Blob)) {
    return {
      method: 'POST',
      headers: { ...key, 'content-type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(fields)),
    };
  }
  const form = new FormData();
  for (const [name, value] of fields) {
    if (value instanceof Blob) form.append(name, value);
    else if (value !== null) form.append(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return { method: 'POST', headers: key, body: form, timeoutMs: timings.upload };
}

/** `crypto.randomUUID` exists on secure origins only; a development server on the LAN is not one. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** How long to wait before a creation is repeated; null when repeating it cannot help. */
function patience(error: JobsApiError, attempt: number): number | null {
  const lost = LOST.has(error.code) || LOST.has(error.status);
  const stillRunning = error.status === 409;
  if (!lost && !stillRunning) return null;
  const suggested = error.retryAfter === null ? 500 * 2 ** (attempt - 1) : error.retryAfter * 1_000;
  return suggested > MAX_PATIENCE_MS ? null : suggested;
}

export async function answerOf(response: Response): Promise<unknown> {
  const text = await response.text();
  let body: unknown = null;
  try {
    body = text === '' ? null : JSON.parse(text);
  } catch {
    // Not our API but something before it, such as a proxy's HTML page: the status still tells.
    if (response.ok) throw unreadable();
  }
  if (!response.ok) throw new JobsApiError(problemOf(response, body));
  return body;
}

function problemOf(response: Response, body: unknown): ProblemDetails {
  const problem = isFields(body) ? body : {};
  const title = textOf(problem['title']) ?? (response.statusText || `HTTP ${response.status}`);
  return {
    status: response.status,
    code: textOf(problem['code']) ?? lastPart(textOf(problem['type'])) ?? `http_${response.status}`,
    title,
    detail: textOf(problem['detail']) ?? '',
    errors: Array.isArray(problem['errors']) ? problem['errors'].map(fieldError).filter((e) => e !== null) : [],
    retryAfter: numberOf(Number.parseFloat(response.headers.get('retry-after') ?? '')),
    requestId: response.headers.get('x-request-id') ?? textOf(problem['requestId']),
  };
}

function lastPart(type: string | null): string | null {
  const part = type?.split('/').pop();
  return part === undefined || part === '' || part === 'about:blank' ? null : part;
}

function fieldError(value: unknown): FieldError | null {
  if (!isFields(value)) return null;
  const message = textOf(value['message']);
  if (message === null) return null;
  return { field: textOf(value['field']) ?? '', message, code: textOf(value['code']) ?? 'invalid' };
}

function read<T>(answer: unknown, reader: (value: unknown) => T | null): T {
  const value = reader(answer);
  if (value === null) throw unreadable();
  return value;
}

function unreadable(): JobsApiError {
  return new JobsApiError({
    status: 0,
    code: 'unreadable_answer',
    title: 'The server gave an answer that this client cannot read.',
    detail: 'Check that `apiUrl` points at the CareerLens Jobs API.',
  });
}

export function unreachable(cause: unknown): JobsApiError {
  const error = new JobsApiError({
    status: 0,
    code: 'network',
    title: 'The server could not be reached.',
    detail: 'The server could not be reached. Check the connection and try again.',
  });
  error.cause = cause;
  return error;
}

function noToken(cause: unknown): JobsApiError {
  const error = new JobsApiError({
    status: 0,
    code: 'token_unavailable',
    title: 'No token could be had for the request.',
    detail: cause instanceof Error ? cause.message : String(cause),
  });
  error.cause = cause;
  return error;
}

function timedOut(): JobsApiError {
  return new JobsApiError({
    status: 0,
    code: 'timeout',
    title: 'The server did not answer in time.',
    detail: 'The server did not answer in time. Try again.',
  });
}
