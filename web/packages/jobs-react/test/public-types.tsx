/** Never run: `npm run typecheck` shows that right use compiles, and wrong use does not. */

import { JobProgressNotifications, JobsApiError, useBackgroundJobs, type Job } from '../src/index.js';

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
