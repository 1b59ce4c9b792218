'use client';

import { isFinal } from '../core/job.js';
import type { Job } from '../core/types.js';
import { messageOf, type JobLabels } from './labels.js';
import { useEffect, useRef } from './react.js';

/** A beginning or an end, in words. */
export interface JobNews {
  readonly job: Job;
  /** The job was seen running before; false of a beginning, and of an old job that has just been found. */
  readonly isEnd: boolean;
  readonly title: string;
  readonly message: string;
}

/**
 * Tells which jobs have begun or ended since the last render. Not each step, which would talk over
 * the page, and not what was there when the page opened.
 */
export function useNews(
  jobs: readonly Job[],
  titleOf: (job: Job) => string,
  labels: JobLabels,
  tell: (news: readonly JobNews[]) => void,
): void {
  const known = useRef<readonly Job[] | null>(null);
  useEffect(() => {
    const before = known.current;
    known.current = jobs;
    if (!before || before === jobs) return;
    const news = jobs.flatMap((job): JobNews[] => {
      const then = before.find(({ jobId }) => jobId === job.jobId)?.status;
      const isEnd = then !== undefined && then !== job.status && isFinal(job.status);
      if (then !== undefined && !isEnd) return [];
      return [{ job, isEnd, title: titleOf(job), message: messageOf(job, labels) }];
    });
    if (news.length > 0) tell(news);
  });
}
