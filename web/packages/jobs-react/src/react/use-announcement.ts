'use client';

import { useEffect, useRef, useState } from 'react';

import type { Job, JobStatus } from '../core/types.js';
import { messageOf, type JobLabels } from './labels.js';

/**
 * What to say aloud about the jobs: that one began, and how it ended. Not each step, which would
 * talk over the page, and not what was there when the page opened.
 */
export function useAnnouncement(jobs: readonly Job[], titleOf: (job: Job) => string, labels: JobLabels): string {
  const known = useRef<Map<string, JobStatus> | null>(null);
  const [announcement, announce] = useState('');

  useEffect(() => {
    const before = known.current;
    known.current = new Map(jobs.map((job) => [job.jobId, job.status]));
    if (before === null) return;
    const news = jobs.filter((job) => isNews(before.get(job.jobId), job.status));
    if (news.length > 0) announce(news.map((job) => `${titleOf(job)}: ${messageOf(job, labels)}`).join('. '));
  }, [jobs, titleOf, labels]);

  return announcement;
}

function isNews(before: JobStatus | undefined, now: JobStatus): boolean {
  if (before === now) return false;
  return before === undefined || (now !== 'queued' && now !== 'processing');
}
