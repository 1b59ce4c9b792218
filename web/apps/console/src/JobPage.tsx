import { JobsApiError, type ConnectionStatus, type Job } from '@careerlens/jobs-react';
import { useEffect, useState, useSyncExternalStore } from 'react';

import type { Draft } from './compose/draft';
import { aboutJob } from './library/about';
import { headline } from './library/headline';
import { Ended } from './progress/Ended';
import type { StepLogs } from './progress/steps';
import { Working } from './progress/Working';
import { readReport } from './report/reading';
import { ReportView } from './report/ReportView';
import { BackIcon } from './shell/icons';
import type { Identity } from './shell/identity';
import { Refusal } from './shell/Refusal';
import { HOME_LINK } from './shell/routing';
import { StatusTag } from './shell/StatusTag';
import { describeAge, describeMoment, useNow } from './shell/time';
import { useArrival } from './shell/useArrival';
import { useJob } from './useJob';

interface Props {
  readonly jobId: string;
  readonly section: string | null;
  readonly identity: Identity;
  /** The job as followed live, if it is among those. */
  readonly followed: Job | null;
  readonly logs: StepLogs;
  readonly connection: ConnectionStatus;
  readonly online: boolean;
  readonly trouble: JobsApiError | null;
  readonly onCancel: () => Promise<void>;
  readonly onRefresh: () => Promise<void>;
  /** What the job was made from, if this page still holds it. */
  readonly again: Draft | null;
  readonly onAgain: (draft: Draft) => Promise<void>;
  /** Goes to the form for a job whose résumé this page no longer holds. */
  readonly onStartOver: (targetRole: string) => void;
}

/** One job at its own address, from the first second to long after its end. */
export function JobPage(props: Props) {
  const { jobId, identity, followed } = props;
  const { job, error, retry } = useJob(identity, jobId, followed, props.onRefresh);

  if (job === null) {
    return (
      <main id="main" className="job">
        <BackLink />
        {error === null ? <JobSkeleton /> : <JobMissing error={error} onRetry={retry} />}
      </main>
    );
  }
  return (
    <main id="main" className="job">
      <BackLink />
      <JobHead job={job} userId={identity.userId} />
      <JobBody {...props} job={job} />
    </main>
  );
}

function BackLink() {
  return (
    <a className="back small" href={HOME_LINK}>
      <BackIcon size={16} /> All reports
    </a>
  );
}

function JobHead({ job, userId }: { job: Job; userId: string }) {
  const now = useNow(30_000);
  const about = aboutJob(userId, job.jobId);
  const { title, detail } = headline(job, about);
  const heading = useArrival(title);
  return (
    <header className="job__head">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <p className="job__meta small muted">
        <StatusTag job={job} />
        {detail === null ? null : <span>{detail}</span>}
        <time dateTime={job.createdAt.toISOString()} title={describeMoment(job.createdAt)}>
          {describeAge(job.createdAt, now)}
        </time>
      </p>
    </header>
  );
}

function JobBody(props: Props & { readonly job: Job }) {
  const { job, logs, identity, again, onAgain, onStartOver } = props;
  const steps = useSyncExternalStore(logs.subscribe, () => logs.of(job.jobId));
  const { progress, status, jobId } = job;

  // After a reload the first thing known is a snapshot, which no event announces.
  useEffect(() => {
    if (progress !== null && status === 'processing') logs.record(jobId, progress, Date.now());
  }, [logs, jobId, progress, status]);

  if (status === 'queued' || status === 'processing') {
    return (
      <Working
        job={job}
        steps={steps}
        connection={props.connection}
        online={props.online}
        trouble={props.trouble}
        onCancel={props.onCancel}
      />
    );
  }
  if (status === 'completed') {
    const report = readReport(job.result);
    return report === null ? (
      <RawResult result={job.result} />
    ) : (
      <ReportView job={job} report={report} section={props.section} />
    );
  }
  const words = status === 'cancelled' ? 'Run it again' : 'Try again';
  return (
    <Ended
      job={job}
      again={
        again === null ? (
          <button
            type="button"
            className="button button--primary"
            onClick={() => {
              onStartOver(aboutJob(identity.userId, jobId)?.targetRole ?? '');
            }}
          >
            {words}
          </button>
        ) : (
          <AgainButton words={words} draft={again} onAgain={onAgain} />
        )
      }
    />
  );
}

function AgainButton(props: { words: string; draft: Draft; onAgain: (draft: Draft) => Promise<void> }) {
  const { words, draft, onAgain } = props;
  const [sending, setSending] = useState(false);
  const [refusal, setRefusal] = useState<unknown>(null);
  const again = async () => {
    setSending(true);
    setRefusal(null);
    try {
      await onAgain(draft);
    } catch (error) {
      setRefusal(error);
      setSending(false);
    }
  };
  return (
    <>
      <button
        type="button"
        className="button button--primary"
        disabled={sending}
        onClick={() => {
          void again();
        }}
      >
        {sending ? 'Handing it in…' : words}
      </button>
      {refusal === null ? null : <Refusal error={refusal} />}
    </>
  );
}

/** The result of a job type this page has no view for. */
function RawResult({ result }: { result: unknown }) {
  return (
    <section className="card raw" aria-label="Result">
      <h2>Result</h2>
      <pre tabIndex={0}>{JSON.stringify(result, null, 2)}</pre>
    </section>
  );
}

function JobSkeleton() {
  return (
    <div role="status" className="job__skeleton">
      <span className="visually-hidden">Loading this report</span>
      <span className="skeleton skeleton--heading" aria-hidden="true" />
      <span className="skeleton skeleton--detail" aria-hidden="true" />
      <div className="skeleton skeleton--card" aria-hidden="true" />
    </div>
  );
}

function JobMissing({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  if (error instanceof JobsApiError && error.status === 404) {
    return (
      <section className="waiting">
        <h1>No such report</h1>
        <p>
          There is no report of yours at this address. It may belong to somebody else, or its time may have
          run out.
        </p>
        <p>
          <a className="button" href={HOME_LINK}>
            Go to your reports
          </a>
        </p>
      </section>
    );
  }
  return (
    <section className="waiting">
      <h1>This report could not be loaded</h1>
      <Refusal error={error} />
      <p>
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      </p>
    </section>
  );
}
