export { JobFailedError, JobsApiError } from './core/errors.js';
export type { FieldError, ProblemDetails } from './core/errors.js';
export { forgetStoredJobs } from './core/storage.js';
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
} from './core/types.js';
export { JobProgressNotifications } from './react/job-progress-notifications.js';
export type { JobProgressNotificationsProps } from './react/job-progress-notifications.js';
export type { JobLabels } from './react/labels.js';
export { useBackgroundJobs } from './react/use-background-jobs.js';
export type { UseBackgroundJobsOptions, UseBackgroundJobsResult } from './react/use-background-jobs.js';
