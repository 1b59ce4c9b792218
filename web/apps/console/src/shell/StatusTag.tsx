import type { Job } from '@careerlens/jobs-react';

interface Look {
  readonly words: string;
  readonly kind: string;
}

function look(job: Job): Look {
  if (job.status === 'completed') return { words: 'Ready', kind: 'completed' };
  if (job.status === 'failed') return { words: 'Not finished', kind: 'failed' };
  if (job.status === 'cancelled') return { words: 'Cancelled', kind: 'cancelled' };
  if (job.cancelRequested) return { words: 'Stopping', kind: 'working' };
  if (job.retrying) return { words: 'Trying again', kind: 'working' };
  if (job.status === 'queued') return { words: 'In line', kind: 'working' };
  return { words: `${Math.round(job.progress?.percent ?? 0)}%`, kind: 'working' };
}

/** Where a job stands, in a word. */
export function StatusTag({ job }: { job: Job }) {
  const { words, kind } = look(job);
  return <span className={`tag tag--${kind} numerals`}>{words}</span>;
}
