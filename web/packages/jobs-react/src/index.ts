export type {
  AuthToken,
  CancelResponse,
  ConnectionStatus,
  Job,
  JobCreatedResponse,
  JobInput,
  JobProgress,
  JobStatus,
  JobStatusResponse,
  JobUpdate,
} from './core/types.js';
export { JobFailedError, JobsApiError } from './core/errors.js';
export type { FieldError, ProblemDetails } from './core/errors.js';
