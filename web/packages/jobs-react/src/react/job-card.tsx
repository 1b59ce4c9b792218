'use client';

import { useId, useState, type JSX } from 'react';

import { messageIn } from '../core/errors.js';
import { isFinal } from '../core/job.js';
import type { Job } from '../core/types.js';
import { Button } from './button.js';
import { Icon } from './icon.js';
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
  const [problem, setProblem] = useState('');
  const [isRetrying, setRetrying] = useState(false);
  const { jobId, status, cancelRequested } = job;

  const attempt = (action: Promise<unknown>): Promise<void> => {
    setProblem('');
    return action.then(
      () => undefined,
      (error: unknown) => setProblem(messageIn(error)),
    );
  };
  const retry = (): void => {
    if (isRetrying || onRetry === undefined) return;
    setRetrying(true);
    void attempt(onRetry(job)).then(() => setRetrying(false));
  };
  const about = (words: string): string => `${words}: ${title}`;

  return (
    <li className="clj-card" data-status={status} aria-labelledby={titleId}>
      <Icon status={status} />
      <div>
        <p className="clj-title" id={titleId}>
          {title}
        </p>
        <p className="clj-message">{messageOf(job, labels)}</p>
        {problem && <p className="clj-problem">{problem}</p>}
      </div>
      {isFinal(status) ? (
        <Button className="clj-button clj-dismiss" aria-label={about(labels.dismiss)} onClick={() => onDismiss(jobId)}>
          <Icon />
        </Button>
      ) : (
        <>
          <Button
            aria-label={about(labels.cancel)}
            aria-disabled={cancelRequested}
            onClick={() => cancelRequested || void attempt(onCancel(jobId))}
          >
            {labels.cancel}
          </Button>
          <ProgressBar job={job} labelledBy={titleId} labels={labels} />
        </>
      )}
      {status === 'completed' && onViewResult && (
        <div className="clj-progress">
          <Button data-primary="" aria-label={about(labels.viewResult)} onClick={() => onViewResult(job)}>
            {labels.viewResult}
          </Button>
        </div>
      )}
      {status === 'failed' && onRetry && (
        <div className="clj-progress">
          <Button aria-label={about(labels.retry)} aria-disabled={isRetrying} onClick={retry}>
            {labels.retry}
          </Button>
        </div>
      )}
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
  const value = job.progress === null ? undefined : Math.round(job.progress.percent);
  const percent = value === undefined ? undefined : `${value}%`;
  return (
    <div className="clj-progress">
      {/* What waits does not move yet. */}
      <progress
        aria-labelledby={labelledBy}
        aria-valuetext={percent ? `${percent}, ${message}` : message}
        max={100}
        value={value ?? (job.status === 'queued' ? 0 : undefined)}
      />
      {/* Seen only: the bar says it to those who listen. */}
      {percent && (
        <span className="clj-percent" aria-hidden="true">
          {percent}
        </span>
      )}
    </div>
  );
}
