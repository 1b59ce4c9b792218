'use client';

import { useJob } from '@careerlens/jobs-react';

/** One job by its id, live or long ended, also after a reload. */
export function Report({ jobId }: { jobId: string }) {
  const { job, isLoading, error } = useJob<'resume-optimization'>(jobId);
  if (isLoading) return <p>Loading…</p>;
  if (job === null) return <p role="alert">{error?.message ?? 'There is no such job.'}</p>;
  if (job.result === null) return <p>{job.progress?.message ?? job.status}</p>;
  return (
    <main>
      <h1>Score: {job.result.atsScore}</h1>
      <pre>{JSON.stringify(job.result, null, 2)}</pre>
    </main>
  );
}
