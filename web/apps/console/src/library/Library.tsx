import type { Job } from '@careerlens/jobs-react';

import { PageDrawing } from '../progress/Page';
import { Refusal } from '../shell/Refusal';
import { jobLink } from '../shell/routing';
import { StatusTag } from '../shell/StatusTag';
import { describeAge, describeMoment, useNow } from '../shell/time';
import { aboutJob } from './about';
import { headline } from './headline';
import type { History } from './useHistory';

interface Props {
  readonly userId: string;
  /** Jobs this page follows, newest first. */
  readonly jobs: readonly Job[];
  readonly history: History;
}

/** Every report of this person: those on their way first, then the past ones, page by page. */
export function Library({ userId, jobs, history }: Props) {
  const now = useNow(30_000);
  const past = history.jobs ?? [];
  // The followed copy is the fresher one.
  const followed = new Set(jobs.map((job) => job.jobId));
  const all = [...jobs, ...past.filter((job) => !followed.has(job.jobId))].sort(
    (a, b) => b.createdAt.getTime() - a.createdAt.getTime(),
  );

  return (
    <section className="library" aria-labelledby="library-title">
      <h2 id="library-title" className="library__title">
        Your reports
      </h2>
      {history.error === null ? null : (
        <div className="library__problem">
          <Refusal error={history.error} title="Past reports could not be loaded" />
          <button type="button" className="button button--small" onClick={history.retry}>
            Try again
          </button>
        </div>
      )}
      {all.length === 0 ? (
        history.jobs === null ? (
          history.error === null ? (
            <LibrarySkeleton />
          ) : null
        ) : (
          <LibraryEmpty />
        )
      ) : (
        <ul className="library__list card">
          {all.map((job) => (
            <LibraryEntry key={job.jobId} job={job} userId={userId} nowMs={now} />
          ))}
        </ul>
      )}
      {history.more === null ? null : (
        <button
          type="button"
          className="button button--small library__more"
          disabled={history.loading}
          onClick={history.more}
        >
          {history.loading ? 'Loading…' : 'Show older reports'}
        </button>
      )}
    </section>
  );
}

function LibraryEntry({ job, userId, nowMs }: { job: Job; userId: string; nowMs: number }) {
  const { title, detail, score } = headline(job, aboutJob(userId, job.jobId));
  const working = job.status === 'queued' || job.status === 'processing';
  return (
    <li>
      <a className="library__entry" href={jobLink(job.jobId)}>
        <span className="library__score numerals" aria-hidden="true">
          {score ?? (working ? <i className="pulse" /> : '–')}
        </span>
        <span className="library__what">
          <strong>{title}</strong>
          <span className="small muted">
            {detail === null ? null : <>{detail} · </>}
            <time dateTime={job.createdAt.toISOString()} title={describeMoment(job.createdAt)}>
              {describeAge(job.createdAt, nowMs)}
            </time>
          </span>
        </span>
        {score === null ? (
          <StatusTag job={job} />
        ) : (
          <span className="visually-hidden">Score {score} of 100</span>
        )}
      </a>
    </li>
  );
}

function LibrarySkeleton() {
  return (
    <div className="library__list card" role="status">
      <span className="visually-hidden">Loading your reports</span>
      {[0, 1, 2].map((row) => (
        <div key={row} className="library__entry" aria-hidden="true">
          <span className="skeleton skeleton--score" />
          <span className="library__what">
            <span className="skeleton skeleton--title" />
            <span className="skeleton skeleton--detail" />
          </span>
        </div>
      ))}
    </div>
  );
}

function LibraryEmpty() {
  return (
    <div className="library__empty">
      <PageDrawing percent={52} />
      <p>
        No reports yet. The first one takes a few seconds, and every finding in it quotes the line it is
        about.
      </p>
    </div>
  );
}
