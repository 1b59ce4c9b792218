'use client';

import type { ComponentProps, JSX } from 'react';

import { messageIn } from '../core/errors.js';
import { isFinal } from '../core/job.js';
import type { Job, JobStatus } from '../core/types.js';
import { messageOf, type JobLabels } from './labels.js';
import { useId, useState } from './react.js';

export interface JobCardProps {
  readonly job: Job;
  readonly title: string;
  readonly labels: JobLabels;
  readonly onCancel: (jobId: string) => Promise<unknown>;
  readonly onDismiss: (jobId: string) => void;
  readonly onViewResult: ((job: Job) => void) | undefined;
  /** Try a failed job again; undefined where that cannot be done. */
  readonly onRetry: ((job: Job) => Promise<unknown>) | undefined;
}

const CROSS = '×';
/** In the ring that stands for a job, beside words that say the same; the ring of a running one turns. */
const SIGNS: Record<JobStatus, string> = { queued: '…', processing: '', completed: '✓', failed: '!', cancelled: CROSS };

/** One job: what it is, where it stands, and what can be done about it. */
export function JobCard({ job, title, labels, onCancel, onDismiss, onViewResult, onRetry }: JobCardProps): JSX.Element {
  const titleId = useId();
  const [problem, setProblem] = useState('');
  const [isRetrying, setRetrying] = useState(false);
  const { jobId, status, progress, cancelRequested } = job;
  const isEnded = isFinal(status);
  const message = messageOf(job, labels);
  const percent = progress && Math.round(progress.percent);

  const attempt = async (action: Promise<unknown>): Promise<void> => {
    setProblem('');
    await action.catch((error: unknown) => setProblem(messageIn(error)));
  };
  const retry = async (): Promise<void> => {
    if (isRetrying || !onRetry) return;
    setRetrying(true);
    await attempt(onRetry(job));
    setRetrying(false);
  };
  const button = (words: string, onClick: () => void, more?: ComponentProps<'button'>): JSX.Element => (
    <Button aria-label={`${words}: ${title}`} onClick={onClick} {...more}>
      {more?.children ?? words}
    </Button>
  );

  return (
    <li className="clj-card" data-status={status} aria-labelledby={titleId}>
      <span className="clj-icon" aria-hidden="true">
        {SIGNS[status]}
      </span>
      <div>
        <p className="clj-title" id={titleId}>
          {title}
        </p>
        <p className="clj-message">{message}</p>
        {problem && <p className="clj-problem">{problem}</p>}
      </div>
      {isEnded
        ? button(labels.dismiss, () => onDismiss(jobId), { className: 'clj-button clj-dismiss', children: CROSS })
        : button(labels.cancel, () => cancelRequested || void attempt(onCancel(jobId)), { 'aria-disabled': cancelRequested })}
      <div className="clj-progress">
        {status === 'completed' &&
          onViewResult &&
          button(labels.viewResult, () => onViewResult(job), { className: 'clj-button clj-primary' })}
        {status === 'failed' && onRetry && button(labels.retry, () => void retry(), { 'aria-disabled': isRetrying })}
        {isEnded || (
          // What waits does not move yet.
          <progress
            aria-labelledby={titleId}
            aria-valuetext={percent === null ? message : `${percent}%, ${message}`}
            max={100}
            value={percent ?? (status === 'queued' ? 0 : undefined)}
          />
        )}
        {/* Seen only: the bar says it to those who listen. */}
        {isEnded || percent === null || (
          <span className="clj-percent" aria-hidden="true">
            {`${percent}%`}
          </span>
        )}
      </div>
    </li>
  );
}

/** A button in our looks. */
export function Button(props: ComponentProps<'button'>): JSX.Element {
  return <button type="button" className="clj-button" {...props} />;
}
