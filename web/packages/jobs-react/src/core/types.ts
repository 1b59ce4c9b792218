/**
 * What the server says (wire types: epoch milliseconds, `null` for what is not there) and what the
 * application sees (view types: dates). `toJob` in `job.ts` is the one place that turns the first
 * into the second.
 */

/** Where a job stands. The last three are final. */
export type JobStatus = 'queued' | 'processing' | 'completed' | 'failed' | 'cancelled';

/** How far a job is: `percent` from 0 to 100, a sentence, and optionally the step's name. */
export interface JobProgress {
  readonly percent: number;
  readonly message: string;
  readonly step?: string | null;
  readonly data?: Readonly<Record<string, unknown>> | null;
}

/** Where a queued job stands in line: `position` from 1, the next to start. */
export interface QueuePlace {
  readonly position: number;
  /** How long it may take until the job starts; null while nothing is known to tell that from. */
  readonly estimatedWaitMs: number | null;
}

/** The whole truth about one job as the API answers it. Times are epoch milliseconds. */
export interface JobStatusResponse {
  readonly jobId: string;
  readonly type: string;
  readonly status: JobStatus;
  readonly progress?: JobProgress | null;
  readonly result?: unknown;
  readonly error?: string | null;
  readonly errorCode?: string | null;
  readonly createdAt: number;
  readonly startedAt?: number | null;
  readonly completedAt?: number | null;
  readonly attemptsMade?: number;
  readonly maxAttempts?: number;
  readonly cancelRequested?: boolean;
  readonly delayedUntil?: number | null;
  readonly retrying?: boolean;
  readonly queue?: QueuePlace | null;
}

/** The answer to a creation. */
export interface JobCreatedResponse {
  readonly jobId: string;
  readonly type: string;
  readonly status: JobStatus;
  readonly createdAt: number;
  readonly statusUrl: string;
  readonly eventsUrl: string;
}

/**
 * What cancelling led to. `cancelled`: it is over now. `cancelling`: the worker was told, and the
 * end will be announced. `already_final`: it had ended before, as `status` says.
 */
export interface CancelResponse {
  readonly jobId: string;
  readonly status: JobStatus;
  readonly outcome: 'cancelled' | 'cancelling' | 'already_final';
}

/** What happened to a job, as its owner's feed tells it. */
export type JobEventKind =
  | 'queued'
  | 'delayed'
  | 'processing'
  | 'progress'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'removed';

/** One entry of the user's feed. `id` (`ms-seq`) orders entries and is where a client resumes. */
export interface JobUpdate {
  readonly id: string;
  readonly jobId: string;
  readonly type: string;
  readonly event: JobEventKind;
  readonly status: JobStatus;
  readonly progress?: JobProgress | null;
  readonly error?: string | null;
  readonly errorCode?: string | null;
  readonly attemptsMade?: number | null;
  readonly delayedUntil?: number | null;
  readonly timestamp: number;
}

/** A job as the application sees it. Immutable: a change makes a new object. */
export interface Job {
  readonly jobId: string;
  readonly type: string;
  readonly status: JobStatus;
  readonly progress: JobProgress | null;
  /** What the job produced; set once `status` is `completed`. */
  readonly result: unknown;
  /** A sentence for people; set when the job failed. */
  readonly error: string | null;
  /** The same for programs. */
  readonly errorCode: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly attemptsMade: number;
  readonly maxAttempts: number;
  /** Cancelling was asked for; the end is not confirmed yet, unless `status` says so. */
  readonly cancelRequested: boolean;
  /** Until when a queued job waits for its time. */
  readonly delayedUntil: Date | null;
  /** The job failed an attempt and waits for another. */
  readonly retrying: boolean;
  /** The place in line of a queued job, as it was some seconds ago; null while it is not known. */
  readonly queue: QueuePlace | null;
}

/**
 * What `createJob` takes: the job's type beside its fields. A `File` or `Blob` among the fields is
 * uploaded (the server expects a résumé under `resume`). `userId` may be repeated and must be the
 * hook's own: the server learns from the token who is asking.
 */
export interface JobInput {
  readonly type: string;
  readonly userId?: string;
  readonly [field: string]: unknown;
}

/** A token, or how to get a fresh one: called on each connection and each request. */
export type AuthToken = string | (() => string | Promise<string>);

/**
 * How updates arrive. `idle`: nobody is listening. `connecting`: no channel yet. `live`: over the
 * socket. `polling`: by asking, as the socket is blocked or down. `offline`: there is no network,
 * and nothing is tried until it is back. `unauthorized`: the server refused the token; a new one
 * starts again.
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'live' | 'polling' | 'offline' | 'unauthorized';
