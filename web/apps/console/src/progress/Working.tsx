import type { ConnectionStatus, Job, JobsApiError } from '@careerlens/jobs-react';
import { ordinal, placeInWords, waitInWords } from '@careerlens/jobs-react/core';
import { useState } from 'react';

import { Refusal } from '../shell/Refusal';
import { AlertIcon, CheckIcon, CloseIcon } from '../shell/icons';
import { describeClock, describeDuration, useNow } from '../shell/time';
import { PageDrawing } from './Page';
import type { StepLog } from './steps';

interface Props {
  readonly job: Job;
  readonly steps: StepLog;
  readonly connection: ConnectionStatus;
  readonly online: boolean;
  /** What keeps news from coming, while something does. */
  readonly trouble: JobsApiError | null;
  readonly onCancel: () => Promise<void>;
}

/** A job on its way: where it stands, which steps it took, and the way out. */
export function Working({ job, steps, connection, online, trouble, onCancel }: Props) {
  const now = useNow(200);
  const percent = Math.round(job.progress?.percent ?? 0);
  const started = job.startedAt ?? job.createdAt;

  return (
    <section className="working card" aria-label="Progress">
      <div className="working__drawing">
        <PageDrawing percent={percent} />
      </div>
      <div className="working__body">
        <p className="working__figure numerals" aria-hidden="true">
          {job.queue === null ? percent : ordinal(job.queue.position)}
          <span>{job.queue === null ? '%' : 'in line'}</span>
        </p>
        <div
          className="bar"
          role="progressbar"
          aria-label="Progress of your report"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={percent}
          aria-valuetext={`${describeFigure(job, percent)}. ${describeNow(job, steps)}`}
        >
          {/* Set through the style object, which the page's content security policy allows. */}
          <div className="bar__fill" style={{ transform: `scaleX(${percent / 100})` }} />
        </div>
        <p className="working__now" aria-live="polite">
          {describeNow(job, steps)}
        </p>
        <Timeline job={job} steps={steps} nowMs={now} />
        <Situation job={job} connection={connection} online={online} trouble={trouble} nowMs={now} />
        <div className="working__actions">
          <CancelButton job={job} onCancel={onCancel} />
          <p className="small muted numerals">
            {job.startedAt === null ? 'Waiting for ' : 'Running for '}
            {describeDuration(now - started.getTime())}
          </p>
        </div>
      </div>
    </section>
  );
}

function describeFigure({ queue }: Job, percent: number): string {
  return queue === null ? `${percent} per cent` : placeInWords({ ...queue, estimatedWaitMs: null });
}

function describeNow(job: Job, steps: StepLog): string {
  if (job.cancelRequested) return 'Stopping, as you asked';
  if (job.retrying) return 'Waiting to try again';
  const wait = job.queue?.estimatedWaitMs ?? null;
  if (wait !== null) return `Starts in about ${waitInWords(wait)}`;
  if (job.status === 'queued') return 'In line for a worker';
  return job.progress?.message || steps.at(-1)?.message || 'A worker has picked it up';
}

/** The steps taken so far, the current one last. Nothing is shown that has not happened. */
function Timeline({ job, steps, nowMs }: { job: Job; steps: StepLog; nowMs: number }) {
  const running = job.status === 'processing';
  return (
    <ol className="timeline" aria-label="Steps so far">
      <TimelineEntry
        look={running || steps.length > 0 ? 'done' : 'current'}
        message="Handed in"
        aside={describeClock(job.createdAt)}
      />
      {running && steps.length === 0 ? <TimelineEntry look="current" message="Picked up" aside="" /> : null}
      {steps.map((step, index) => {
        const next = steps[index + 1];
        const look = next !== undefined ? 'done' : running ? 'current' : 'stopped';
        const spent = describeDuration((next?.sinceMs ?? nowMs) - step.sinceMs);
        return (
          <TimelineEntry
            key={`${step.key} ${step.sinceMs}`}
            look={look}
            message={step.message}
            aside={look === 'stopped' ? 'Not finished' : spent}
          />
        );
      })}
    </ol>
  );
}

function TimelineEntry(props: { look: 'done' | 'current' | 'stopped'; message: string; aside: string }) {
  const { look, message, aside } = props;
  return (
    <li
      className={`timeline__entry timeline__entry--${look}`}
      aria-current={look === 'current' ? 'step' : undefined}
    >
      <span className="timeline__dot">
        {look === 'done' ? <CheckIcon size={12} /> : look === 'stopped' ? <CloseIcon size={12} /> : null}
      </span>
      <span className="timeline__message">{message}</span>
      <span className="timeline__aside small muted numerals">{aside}</span>
    </li>
  );
}

const PATIENCE_MS = 8_000;

/** Says what is out of the ordinary, and what it means for the reader. Nothing when all is well. */
function Situation(props: Omit<Props, 'steps' | 'onCancel'> & { readonly nowMs: number }) {
  const { job, connection, online, trouble, nowMs } = props;
  if (!online) {
    return (
      <p className="note note--warning">
        <AlertIcon size={18} /> You are offline. The work goes on without you, and this page catches up when
        you are back.
      </p>
    );
  }
  if (trouble !== null) {
    return (
      <p className="note note--warning">
        <AlertIcon size={18} /> {trouble.title.replace(/\.$/, '')}. The work goes on without this page, which
        keeps asking and catches up by itself.
      </p>
    );
  }
  if (job.retrying) {
    return (
      <p className="note note--warning">
        <AlertIcon size={18} />
        <span>
          {describeAttempt(job)} {describeNextTry(job.delayedUntil, nowMs)}
        </span>
      </p>
    );
  }
  if (connection === 'polling') {
    return (
      <p className="note">
        <AlertIcon size={18} /> The live connection is down, so this page asks every few seconds instead.
        Steps may arrive in groups.
      </p>
    );
  }
  if (job.status === 'queued' && nowMs - job.createdAt.getTime() > PATIENCE_MS) {
    return (
      <p className="note">
        <AlertIcon size={18} /> {job.queue === null ? 'No worker has picked it up yet. ' : null}It keeps its
        place in line; you may close this page and come back to its link.
      </p>
    );
  }
  return null;
}

function describeAttempt({ attemptsMade, maxAttempts, error }: Job): string {
  const which = attemptsMade < maxAttempts ? `Attempt ${attemptsMade} of ${maxAttempts}` : 'An attempt';
  return error === null ? `${which} did not work out.` : `${which} did not work out: ${error}`;
}

function describeNextTry(until: Date | null, nowMs: number): string {
  const left = until === null ? 0 : until.getTime() - nowMs;
  return left > 500 ? `The next try is in ${Math.ceil(left / 1000)} s.` : 'The next try is about to start.';
}

function CancelButton({ job, onCancel }: { job: Job; onCancel: () => Promise<void> }) {
  const [asking, setAsking] = useState(false);
  const [refusal, setRefusal] = useState<unknown>(null);
  const stopping = asking || job.cancelRequested;
  const cancel = async () => {
    setAsking(true);
    setRefusal(null);
    try {
      await onCancel();
    } catch (error) {
      setRefusal(error);
    } finally {
      setAsking(false);
    }
  };
  return (
    <>
      <button
        type="button"
        className="button"
        disabled={stopping}
        onClick={() => {
          void cancel();
        }}
      >
        {stopping ? 'Stopping…' : 'Cancel'}
      </button>
      {refusal === null ? null : <Refusal error={refusal} title="It could not be cancelled" />}
    </>
  );
}
