export { JobFailedError, JobsApiError } from './core/errors.js';
export type { FieldError, ProblemDetails } from './core/errors.js';
export type { InputOf, JobOf, JobType, JobTypes, ResultOf } from './core/job-map.js';
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
export { JobsProvider } from './react/jobs-provider.js';
export type { JobsProviderProps, JobsSource } from './react/jobs-provider.js';
export { useBackgroundJobs } from './react/use-background-jobs.js';
export type { UseBackgroundJobsOptions, UseBackgroundJobsResult } from './react/use-background-jobs.js';
export { useCreateJob } from './react/use-create-job.js';
export type { UseCreateJobResult } from './react/use-create-job.js';
export { useJob } from './react/use-job.js';
export type { UseJobResult } from './react/use-job.js';
export { useJobStream } from './react/use-job-stream.js';
export type { UseJobStreamOptions, UseJobStreamResult } from './react/use-job-stream.js';
