export { isFinal, toJob } from './job.js';
export { JobsApi } from './api.js';
export type { JobsApiOptions } from './api.js';
export { JobsClient } from './client.js';
export type { JobsClientOptions, JobsObserver, JobsSnapshot } from './client.js';
export { JobFailedError, JobsApiError } from './errors.js';
export type { FieldError, ProblemDetails } from './errors.js';
export { ordinal, placeInWords, waitInWords } from './place-in-words.js';
export { sharedClient } from './registry.js';
export { forgetStoredJobs } from './storage.js';
export { JobStream } from './stream.js';
export type { JobStreamOptions, JobText } from './stream.js';
export type {
  AuthToken,
  CancelResponse,
  ConnectionStatus,
  Job,
  JobCreatedResponse,
  JobEventKind,
  JobInput,
  JobProgress,
  JobStatus,
  JobStatusResponse,
  JobUpdate,
  QueuePlace,
} from './types.js';
