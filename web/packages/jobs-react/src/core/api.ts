/** The API's routes as functions. Every failure is a `JobsApiError`. */

import { JobsApiError, localProblem, messageIn, type ProblemDetails } from './errors.js';
import { timings } from './timings.js';
import type { AuthToken, CancelResponse, JobCreatedResponse, JobStatusResponse } from './types.js';
import { fieldsOf, listOf, numberOf, readStatus, textOf } from './wire.js';

const CREATE_ATTEMPTS = 3;
const MAX_PATIENCE_MS = 5_000;
/** What a request looks like that got lost on the way, or that came while its first attempt is worked on. */
const LOST: readonly (string | number)[] = ['network', 'timeout', 409, 502, 503, 504];

export interface JobsApiOptions {
  /** Where the API lives, without `/api`; empty for the page's own origin. */
  readonly apiUrl: string;
  readonly userId: string;
  /** The token to send with the next request; null for none. */
  readonly token: () => Promise<string | null>;
}

export class JobsApi {
  /**
   * Create a job from its type and fields. A request that was lost on the way is repeated under
   * the same idempotency key, so that it never makes two jobs.
   */
  declare readonly create: (input: Readonly<Record<string, unknown>>) => Promise<JobCreatedResponse>;
  declare readonly status: (jobId: string) => Promise<JobStatusResponse>;
  declare readonly cancel: (jobId: string) => Promise<CancelResponse>;
  /** The user's jobs that have not ended. */
  declare readonly list: () => Promise<JobStatusResponse[]>;

  constructor(options: JobsApiOptions) {
    Object.assign(this, createApi(options));
  }
}

export function createApi({ apiUrl, userId, token }: JobsApiOptions): JobsApi {
  /** Sends a request, once more where its token was refused and there is a newer one. */
  async function request(
    path: string,
    init: RequestInit = {},
    patienceMs = timings.request_,
    renewed?: string | null,
  ): Promise<unknown> {
    const bearer = renewed === undefined ? await obtain(token()) : renewed;
    const headers = { accept: 'application/json', ...introduction(userId, bearer), ...init.headers };
    const signal = AbortSignal.timeout(patienceMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(apiUrl + path, { ...init, headers, cache: 'no-store', signal });
      text = await response.text();
    } catch (error) {
      throw signal.aborted ? localProblem('timeout', 'The server did not answer in time. Try again.') : unreachable(error);
    }
    // The token may have expired between being handed out and being read.
    if (response.status === 401 && renewed === undefined) {
      const newer = await obtain(token());
      if (newer !== bearer) return request(path, init, patienceMs, newer);
    }
    return answerOf(response, text);
  }

  return {
    async create(input) {
      const [init, patienceMs] = creation(input);
      for (let attempt = 1; ; attempt += 1) {
        try {
          return agreed(readStatus(await request('/api/jobs', init, patienceMs)));
        } catch (error) {
          const wait = error instanceof JobsApiError ? pauseAfter(error, attempt) : null;
          if (wait === null || attempt === CREATE_ATTEMPTS) throw error;
          await new Promise((resolve) => setTimeout(resolve, wait));
        }
      }
    },

    async status(jobId) {
      return agreed(readStatus(await request(`${jobPath(jobId)}/status`)));
    },

    async cancel(jobId) {
      const answer = await request(`${jobPath(jobId)}/cancel`, { method: 'POST' });
      return agreed(fieldsOf(answer)['outcome'] ? (answer as CancelResponse) : null);
    },

    async list() {
      const { jobs } = fieldsOf(await request('/api/jobs'));
      return listOf(agreed(jobs ?? null)).flatMap((job) => readStatus(job) ?? []);
    },
  };
}

export function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

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

/** The token to send; null for none. */
export async function bearerOf(token: AuthToken | undefined): Promise<string | null> {
  return (typeof token === 'function' ? await token() : token) ?? null;
}

/** A token from whoever hands them out, who may fail. */
export async function obtain(token: Promise<string | null>): Promise<string | null> {
  try {
    return await token;
  } catch (cause) {
    throw localProblem('token_unavailable', 'There is no token.', messageIn(cause), cause);
  }
}

/** The request that creates a job, and how long it may take in milliseconds. */
function creation(input: Readonly<Record<string, unknown>>): [RequestInit, number] {
  // `crypto.randomUUID` exists on secure origins only; a development server on the LAN is not one.
  const key = crypto.getRandomValues(new Uint32Array(4)).join('-');
  const headers = { 'idempotency-key': `"${key}"` };
  const fields = Object.entries(input).filter(([, value]) => value !== undefined);
  if (!fields.some(([, value]) => value instanceof Blob)) {
    const body = JSON.stringify(Object.fromEntries(fields));
    return [{ method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body }, timings.request_];
  }
  const body = new FormData();
  for (const [name, value] of fields) {
    if (value instanceof Blob) body.append(name, value);
    else if (value !== null) body.append(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return [{ method: 'POST', headers, body }, timings.upload_];
}

/** How long to wait before a creation is repeated; null when repeating it cannot help. */
function pauseAfter({ code, status, retryAfter }: JobsApiError, attempt: number): number | null {
  if (!LOST.includes(code) && !LOST.includes(status)) return null;
  const wait = retryAfter === null ? 250 * 2 ** attempt : retryAfter * 1_000;
  return wait > MAX_PATIENCE_MS ? null : wait;
}

/** What the server answered, unless it refused. */
export function answerOf(response: Response, text: string): unknown {
  let body: unknown = null;
  try {
    body = text && JSON.parse(text);
  } catch {
    // Not our API but something before it, such as a proxy's HTML page: the status still tells.
    if (response.ok) throw unreadable();
  }
  if (!response.ok) throw new JobsApiError(problemOf(response, body));
  return body;
}

function problemOf({ status, statusText, headers }: Response, body: unknown): ProblemDetails {
  const { type, title, detail, errors } = fieldsOf(body);
  return {
    status,
    code: /problems\/(.+)/.exec(`${type}`)?.[1] ?? `http_${status}`,
    title: textOf(title) ?? (statusText || `HTTP ${status}`),
    detail: textOf(detail) ?? '',
    errors: listOf(errors) as ProblemDetails['errors'],
    retryAfter: numberOf(parseFloat(`${headers.get('retry-after')}`)),
    requestId: headers.get('x-request-id'),
  };
}

/** What has been read, unless it was not what was agreed. */
function agreed<T>(answer: T | null): T {
  if (answer === null) throw unreadable();
  return answer;
}

function unreadable(): JobsApiError {
  return localProblem('unreadable_answer', 'This is not the CareerLens Jobs API. Check `apiUrl`.');
}

export function unreachable(cause: unknown): JobsApiError {
  return localProblem('network', 'The server could not be reached. Try again.', '', cause);
}
