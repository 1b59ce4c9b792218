/**
 * JobsApiError    a request was refused or did not get through
 * JobFailedError  a job ended without a result; what `onError` is called with
 */

/** One thing wrong with one field of the request. */
export interface FieldError {
  /** A dotted path, such as `resumeText`. */
  readonly field: string;
  readonly message: string;
  /** Stable for programs. */
  readonly code: string;
}

export interface ProblemDetails {
  /** The HTTP status; 0 when no answer came at all. */
  readonly status: number;
  /** Stable for programs: the last part of the problem's type, such as `validation`. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  /** After how many seconds the server suggests to try again. */
  readonly retryAfter: number | null;
  /** What to quote when asking for help. */
  readonly requestId: string | null;
}

/** A request was refused (an RFC 9457 problem), or no answer came (`status` 0, code `network` or `timeout`). */
export class JobsApiError extends Error implements ProblemDetails {
  declare readonly status: number;
  declare readonly code: string;
  declare readonly title: string;
  declare readonly detail: string;
  declare readonly errors: readonly FieldError[];
  declare readonly retryAfter: number | null;
  declare readonly requestId: string | null;

  constructor(problem: Partial<ProblemDetails> & Pick<ProblemDetails, 'status' | 'code' | 'title'>, cause?: unknown) {
    super(problem.detail || problem.title, { cause });
    Object.assign(this, { name: 'JobsApiError', detail: '', errors: [], retryAfter: null, requestId: null, ...problem });
  }

  /** Whether the same request may well succeed a little later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** What went wrong here, rather than what a server answered. */
export function localProblem(code: string, title: string, detail = '', cause?: unknown): JobsApiError {
  return new JobsApiError({ status: 0, code, title, detail }, cause);
}

export function messageIn(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A job ended without a result. `message` may be shown to the user as it stands. */
export class JobFailedError extends Error {
  override readonly name = 'JobFailedError';

  constructor(
    readonly jobId: string,
    message: string,
    /** Stable for programs. */
    readonly code: string,
  ) {
    super(message);
  }
}
