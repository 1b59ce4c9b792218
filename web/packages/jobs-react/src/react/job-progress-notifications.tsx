'use client';

import type { JSX } from 'react';

import { isFinal } from '../core/job.js';
import type { ConnectionStatus, Job } from '../core/types.js';
import { Button, JobCard } from './job-card.js';
import { ENGLISH, titleOfType, type JobLabels } from './labels.js';
import { useRef, useState } from './react.js';
import { useBackgroundJobs, type UseBackgroundJobsOptions } from './use-background-jobs.js';
import { useBrowserNotifications } from './use-browser-notifications.js';
import { useNews } from './use-news.js';
import { useStyles } from './use-styles.js';

/** Whose jobs may be left to a `JobsProvider`. */
export interface JobProgressNotificationsProps extends Partial<UseBackgroundJobsOptions> {
  /** Called for the button "View result" of a completed job; without it there is no button. */
  readonly onViewResult?: ((job: Job) => void) | undefined;
  /**
   * Called for the button "Try again" of a failed job. Without it, jobs that this page created
   * have the button, and are created again from the same input.
   */
  readonly onRetry?: ((job: Job) => Promise<unknown>) | undefined;
  /**
   * Offer to tell of ends through the system while nobody looks at the page. The browser asks for
   * permission when the user presses the button for it, and never before. Default: false.
   */
  readonly browserNotifications?: boolean | undefined;
  /** Default: `bottom-right`. */
  readonly position?: 'bottom-right' | 'bottom-left' | 'top-right' | 'top-left' | undefined;
  /** Default: as `data-theme` on an ancestor says, else as the system does. */
  readonly theme?: 'light' | 'dark' | undefined;
  /** How many jobs to show before the rest is folded away. Default: 4. */
  readonly maxVisible?: number | undefined;
  /** What to call a job. Default: its type, in words. */
  readonly titleOf?: ((job: Job) => string) | undefined;
  /** Other words, for example in another language. */
  readonly labels?: Partial<JobLabels> | undefined;
  readonly className?: string | undefined;
}

/**
 * The user's background jobs as a stack of cards in a corner of the page: how far each one is,
 * what it is doing, cancel, view the result, dismiss.
 */
export function JobProgressNotifications(props: JobProgressNotificationsProps): JSX.Element {
  const { onViewResult, onRetry, position = 'bottom-right', theme, maxVisible = 4 } = props;
  const { titleOf = titleOfType, browserNotifications = false, className = '' } = props;
  const { jobs, status, cancelJob, canRetry, retryJob, dismissJob } = useBackgroundJobs(props as UseBackgroundJobsOptions);
  const labels = { ...ENGLISH, ...props.labels };
  const [announcement, announce] = useState('');
  const [isUnfolded, setUnfolded] = useState(false);
  const { show, ask } = useBrowserNotifications(browserNotifications);
  useNews(jobs, titleOf, labels, (news) => {
    announce(news.map(({ title, message }) => `${title}: ${message}`).join('. '));
    show(news);
  });
  const region = useRef<HTMLElement>(null);
  useStyles();

  const running = jobs.filter((job) => !isFinal(job.status));
  const ended = jobs.filter((job) => isFinal(job.status));
  // Running jobs before ended ones, but in the order of `jobs`, so that no card jumps.
  const foremost = [...running, ...ended].slice(0, isUnfolded ? jobs.length : maxVisible);
  const isRunning = running.length > 0;
  // Why the cards may be behind the truth; there are no words for the other statuses.
  const note = isRunning && (labels as { readonly [status in ConnectionStatus]?: string })[status];
  const dismiss = (jobId: string): void => {
    dismissJob(jobId);
    // The button that had the focus is gone; stay near it.
    region.current?.focus({ preventScroll: true });
  };
  const retry = ({ jobId }: Job): Promise<string> => retryJob(jobId);

  return (
    <section
      ref={region}
      className={`clj-region ${className}`}
      aria-label={labels.region}
      data-position={position}
      data-theme={theme}
      tabIndex={-1}
    >
      <div className="clj-spoken" role="status">
        {announcement}
      </div>
      {foremost.length > 0 && (
        <ul className="clj-list" role="list">
          {jobs.map(
            (job) =>
              foremost.includes(job) && (
                <JobCard
                  key={job.jobId}
                  job={job}
                  title={titleOf(job)}
                  labels={labels}
                  onCancel={cancelJob}
                  onDismiss={dismiss}
                  onViewResult={onViewResult}
                  onRetry={onRetry ?? (canRetry(job.jobId) ? retry : undefined)}
                />
              ),
          )}
        </ul>
      )}
      <div className="clj-footer">
        {note && <p className="clj-note">{note}</p>}
        {jobs.length > maxVisible && (
          <Button aria-expanded={isUnfolded} onClick={() => setUnfolded(!isUnfolded)}>
            {isUnfolded ? labels.showFewer : labels.showMore(jobs.length - maxVisible)}
          </Button>
        )}
        {ended.length > 1 && (
          <Button onClick={() => ended.forEach((job) => dismiss(job.jobId))}>{labels.clearEnded}</Button>
        )}
        {isRunning && ask && <Button onClick={ask}>{labels.notify}</Button>}
      </div>
    </section>
  );
}
