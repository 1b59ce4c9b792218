import { useBackgroundJobs, type Job } from '@careerlens/jobs-react';
import { useCallback, useEffect, useState } from 'react';

import { Composer } from './compose/Composer';
import { EMPTY_DRAFT, nameOfSource, type Draft } from './compose/draft';
import { useRoles } from './compose/useRoles';
import { JobPage } from './JobPage';
import { rememberAbout } from './library/about';
import { Library } from './library/Library';
import { useHistory } from './library/useHistory';
import { StepLogs } from './progress/steps';
import { Frame } from './shell/Frame';
import { leave, type Identity } from './shell/identity';
import { HOME_LINK, jobLink, useRoute } from './shell/routing';
import type { ServerConfig } from './shell/server';
import { useArrival } from './shell/useArrival';
import { useOnline } from './shell/useOnline';

const JOB_TYPE = 'resume-optimization';

interface Props {
  readonly identity: Identity;
  readonly config: ServerConfig;
}

/** One person's place of work: the form, the reports, and the job that is open. */
export function Desk({ identity, config }: Props) {
  const { route, go } = useRoute();
  const online = useOnline();
  const roles = useRoles(identity, JOB_TYPE);
  const [logs] = useState(() => new StepLogs());
  const [draft, setDraft] = useState<Draft>(EMPTY_DRAFT);
  /** What each job of this page was made from, so that trying again needs no second choosing. */
  const [sent] = useState(() => new Map<string, Draft>());

  const { jobs, status, error, createJob, cancelJob, refresh } = useBackgroundJobs({
    userId: identity.userId,
    ...(identity.authToken === null ? {} : { authToken: identity.authToken }),
    onProgress: (jobId, progress) => {
      logs.record(jobId, progress, Date.now());
    },
    onComplete: (jobId) => {
      logs.forget(jobId);
    },
    onError: (jobId) => {
      logs.forget(jobId);
    },
    onCancel: (jobId) => {
      logs.forget(jobId);
    },
  });

  useEffect(() => {
    if (status === 'unauthorized' && identity.authToken !== null) {
      const reason = 'That token is not accepted, or no longer. Paste a new one.';
      leave({ userId: identity.userId, reason, isFinal: false });
    }
  }, [status, identity]);

  const history = useHistory(identity, countEnded(jobs));

  const submit = useCallback(
    async (next: Draft) => {
      const targetRole = next.targetRole.trim();
      const { source } = next;
      const jobId = await createJob({
        type: JOB_TYPE,
        targetRole,
        ...(source.kind === 'file' ? { resume: source.file } : { resumeText: source.text }),
      });
      sent.set(jobId, next);
      rememberAbout(identity.userId, jobId, { targetRole, sourceName: nameOfSource(source) });
      setDraft({ ...EMPTY_DRAFT, targetRole });
      go(jobLink(jobId));
    },
    [createJob, go, identity.userId, sent],
  );

  const signOut = () => {
    window.location.hash = HOME_LINK;
    leave({ userId: identity.userId, reason: null, isFinal: true });
  };

  return (
    <Frame
      connection={status}
      online={online}
      identity={identity}
      onSignOut={identity.authToken === null ? null : signOut}
    >
      {route.page === 'job' ? (
        <JobPage
          key={route.jobId}
          jobId={route.jobId}
          section={route.section}
          identity={identity}
          followed={jobs.find((job) => job.jobId === route.jobId) ?? null}
          logs={logs}
          connection={status}
          online={online}
          trouble={error}
          onCancel={async () => {
            await cancelJob(route.jobId);
          }}
          onRefresh={refresh}
          again={sent.get(route.jobId) ?? null}
          onAgain={submit}
          onStartOver={(targetRole) => {
            setDraft({ ...EMPTY_DRAFT, targetRole });
            go(HOME_LINK);
          }}
        />
      ) : route.page === 'home' ? (
        <main id="main" className="home">
          <HomeTitle />
          <div className="home__columns">
            <Composer
              draft={draft}
              roles={roles}
              maxUploadBytes={config.maxUploadBytes}
              onDraft={setDraft}
              onSubmit={submit}
            />
            <Library userId={identity.userId} jobs={jobs} history={history} />
          </div>
        </main>
      ) : (
        <main id="main" className="waiting">
          <h1>There is nothing at this address</h1>
          <p>
            <a href={HOME_LINK}>Go to your reports</a>
          </p>
        </main>
      )}
    </Frame>
  );
}

function HomeTitle() {
  const heading = useArrival('');
  return (
    <div className="home__title">
      <h1 ref={heading} tabIndex={-1}>
        Read your résumé the way a screener does
      </h1>
      <p>Name the role. You get a score, and for every finding the very line it is about.</p>
    </div>
  );
}

/** Changes whenever a job ends, which is when the archive has something new. */
function countEnded(jobs: readonly Job[]): number {
  return jobs.filter((job) => job.status !== 'queued' && job.status !== 'processing').length;
}
