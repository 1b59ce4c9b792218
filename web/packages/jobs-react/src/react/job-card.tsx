'use client';

import { useId, useState, type JSX } from 'react';

import { isFinal } from '../core/job.js';
import type { Job } from '../core/types.js';
import { CrossIcon, StatusIcon } from './icons.js';
import { messageOf, type JobLabels } from './labels.js';

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

/** One job: what it is, where it stands, and what can be done about it. */
export function JobCard({ job, title, labels, onCancel, onDismiss, onViewResult, onRetry }: JobCardProps): JSX.Element {
  const titleId = useId();
  const [problem, setProblem] = useState<string | null>(null);
  const isOver = isFinal(job.status);

  const [isRetrying, setRetrying] = useState(false);

  const say = (error: unknown): void => setProblem(error instanceof Error ? error.message : String(error));
  const cancel = (): void => {
    if (job.cancelRequested) return;
    setProblem(null);
    onCancel(job.jobId).catch(say);
  };
  const retry = (): void => {
    if (isRetrying || onRetry === undefined) return;
    setProblem(null);
    setRetrying(true);
    onRetry(job)
      .catch(say)
      .finally(() => setRetrying(false));
  };

  return (
    <li className="clj-card" data-status={job.status} aria-labelledby={titleId}>
      <StatusIcon status={job.status} />
      <div>
        <p className="clj-title" id={titleId}>
          {title}
        </p>
        <p className="clj-message">{messageOf(job, labels)}</p>
        {problem === null ? null : <p className="clj-problem">{problem}</p>}
      </div>
      {isOver ? (
        <button
          type="button"
          className="clj-dismiss"
          aria-label={`${labels.dismiss}: ${title}`}
          onClick={() => onDismiss(job.jobId)}
        >
          <CrossIcon />
        </button>
      ) : (
        <button
          type="button"
          className="clj-button"
          aria-label={`${labels.cancel}: ${title}`}
          aria-disabled={job.cancelRequested}
          onClick={cancel}
        >
          {labels.cancel}
        </button>
      )}
      {isOver ? null : <ProgressBar job={job} labelledBy={titleId} labels={labels} />}
      {job.status === 'completed' && onViewResult !== undefined ? (
        <div className="clj-actions">
          <button
            type="button"
            className="clj-button"
            data-primary=""
            aria-label={`${labels.viewResult}: ${title}`}
            onClick={() => onViewResult(job)}
          >
            {labels.viewResult}
          </button>
        </div>
      ) : null}
      {job.status === 'failed' && onRetry !== undefined ? (
        <div className="clj-actions">
          <button
            type="button"
            className="clj-button"
            aria-label={`${labels.retry}: ${title}`}
            aria-disabled={isRetrying}
            onClick={retry}
          >
            {labels.retry}
          </button>
        </div>
      ) : null}
    </li>
  );
}

interface ProgressBarProps {
  readonly job: Job;
  readonly labelledBy: string;
  readonly labels: JobLabels;
}

function ProgressBar({ job, labelledBy, labels }: ProgressBarProps): JSX.Element {
  const message = messageOf(job, labels);
  const percent = job.progress === null ? null : Math.round(job.progress.percent);
  const value =
    percent === null
      ? { 'aria-valuetext': message }
      : {
          'aria-valuemin': 0,
          'aria-valuemax': 100,
          'aria-valuenow': percent,
          'aria-valuetext': `${percent}%, ${message}`,
        };
  return (
    <div className="clj-progress">
      <div className="clj-track" role="progressbar" aria-labelledby={labelledBy} {...value}>
        {percent === null ? (
          <div className="clj-fill" data-indeterminate="" />
        ) : (
          <div className="clj-fill" style={{ width: `${percent}%` }} />
        )}
      </div>
      {/* Seen only: the bar says it to those who listen. */}
      {percent === null ? null : (
        <span className="clj-percent" aria-hidden="true">
          {percent}%
        </span>
      )}
    </div>
  );
}
