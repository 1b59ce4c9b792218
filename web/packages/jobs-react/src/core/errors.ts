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
  override readonly name = 'JobsApiError';
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly retryAfter: number | null;
  readonly requestId: string | null;

  constructor(problem: Partial<ProblemDetails> & Pick<ProblemDetails, 'status' | 'code' | 'title'>) {
    super(problem.detail || problem.title);
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.detail = problem.detail ?? '';
    this.errors = problem.errors ?? [];
    this.retryAfter = problem.retryAfter ?? null;
    this.requestId = problem.requestId ?? null;
  }

  /** Whether the same request may well succeed a little later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
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
