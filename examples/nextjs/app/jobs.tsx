'use client';

import { JobProgressNotifications, JobsProvider } from '@careerlens/jobs-react';
import { useRouter } from 'next/navigation';
import type { ReactNode } from 'react';

const apiUrl = process.env.NEXT_PUBLIC_API_URL ?? 'http://localhost:3000';

/**
 * Whose jobs, and their cards on every page. In development on one machine the user's id is
 * enough; elsewhere give `authToken` too: a function that gets your session's token.
 */
export function Jobs({ userId, children }: { userId: string; children: ReactNode }) {
  const router = useRouter();
  return (
    <JobsProvider userId={userId} apiUrl={apiUrl}>
      {children}
      <JobProgressNotifications
        browserNotifications
        onViewResult={(job) => router.push(`/reports/${encodeURIComponent(job.jobId)}`)}
      />
    </JobsProvider>
  );
}
