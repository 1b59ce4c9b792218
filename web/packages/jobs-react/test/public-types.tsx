/** Never run: `npm run typecheck` shows that right use compiles, and wrong use does not. */

import {
  JobProgressNotifications,
  JobsApiError,
  JobsProvider,
  useBackgroundJobs,
  useCreateJob,
  useJob,
  type Job,
} from '../src/index.js';

declare module '../src/index.js' {
  interface JobTypes {
    'cover-letter': { readonly input: { readonly type: 'cover-letter'; readonly tone: string }; readonly result: string };
  }
}

export async function RightUse(): Promise<void> {
  const { jobs, createJob, cancelJob } = useBackgroundJobs({
    userId: 'user-123',
    authToken: async () => Promise.resolve('token'),
    onProgress: (jobId, progress) => `${jobId.trim()} ${progress.percent.toFixed(1)} ${progress.message.trim()}`,
    onComplete: (_jobId, result) => JSON.stringify(result),
    onError: (_jobId, error) => error.code.trim(),
  });
  const jobId: string = await createJob({ type: 'resume-optimization', resume: new File([], 'cv.pdf') });
  const outcome: 'cancelled' | 'cancelling' | 'already_final' = (await cancelJob(jobId)).outcome;
  const started: Date | null | undefined = jobs[0]?.startedAt;
  void [outcome, started, <JobProgressNotifications key="1" userId="user-123" authToken="token" />];
}

export function WrongUse(error: unknown, job: Job): void {
  // @ts-expect-error whose jobs must be said
  const { createJob, jobs } = useBackgroundJobs({ authToken: 'token' });
  // @ts-expect-error a job has a type
  void createJob({ resumeText: 'text' });
  // @ts-expect-error the list is not the application's to change
  jobs.push(job);
  // @ts-expect-error jobs change by news alone
  job.status = 'completed';
  // @ts-expect-error a result may be anything, and has to be looked at first
  void job.result.atsScore;
  // @ts-expect-error there is no such place
  void (<JobProgressNotifications userId="user-123" position="middle" />);
  if (error instanceof JobsApiError) void error.errors.map(({ field, message }) => field + message);
}

export function RightTypedUse(): void {
  const { createJob, job } = useCreateJob<'resume-optimization'>();
  void createJob({ type: 'resume-optimization', targetRole: 'Nurse', resume: new File([], 'cv.pdf') });
  const score: number | undefined = job?.result?.atsScore;
  const letter: string | null | undefined = useJob<'cover-letter'>('id').job?.result;
  void useCreateJob<'cover-letter'>().createJob({ type: 'cover-letter', tone: 'warm' });
  void useCreateJob().createJob({ type: 'unknown-here', anything: 1 });
  const { jobs } = useBackgroundJobs({ onComplete: (jobId) => jobId.trim() });
  void [score, letter, jobs, <JobsProvider key="1" userId="user-123"><JobProgressNotifications /></JobsProvider>];
}

export function WrongTypedUse(): void {
  const { createJob, job } = useCreateJob<'resume-optimization'>();
  // @ts-expect-error the role is missing
  void createJob({ type: 'resume-optimization', resumeText: 'text' });
  // @ts-expect-error there is no such field
  void createJob({ type: 'resume-optimization', targetRole: 'Nurse', tragetRole: 'Nurse' });
  // @ts-expect-error another type
  void createJob({ type: 'cover-letter', targetRole: 'Nurse' });
  // @ts-expect-error a result has no such part
  void job?.result?.stars;
}
