/** A page for tests in a real browser: it shows the jobs, notes every event, and does as it is told. */

import { StrictMode, useEffect, useState, version, type JSX } from 'react';
import { createRoot } from 'react-dom/client';

import { JobProgressNotifications, JobsProvider, useBackgroundJobs, useJobStream, type Job } from '../../src/index.js';

interface Controls {
  /** Of React. */
  readonly version: string;
  /** How often a component that listens was mounted. */
  mounts: number;
  /** Every event of every component that listens, in order: `listener kind jobId detail`. */
  readonly heard: string[];
  /** What `authToken` gives. */
  token: string;
  createJob: (input: { type: string; [field: string]: unknown }) => Promise<string>;
  cancelJob: (jobId: string) => Promise<unknown>;
  show: (isShown: boolean) => void;
  /** Show this job's text, also after a reload. */
  watch: (jobId: string) => void;
}

declare global {
  interface Window {
    jobs: Controls;
  }
}

const wanted = new URLSearchParams(location.search);
const userId = wanted.get('user') ?? 'user-123';
window.jobs = {
  version,
  mounts: 0,
  heard: [],
  token: wanted.get('token') ?? '',
  createJob: () => Promise.reject(new Error('not yet')),
  cancelJob: () => Promise.reject(new Error('not yet')),
  show: () => undefined,
  watch: () => undefined,
};

function Listener({ name }: { readonly name: string }): JSX.Element {
  const note = (...words: unknown[]): void => void window.jobs.heard.push([name, ...words].join(' '));
  const { createJob, cancelJob, status } = useBackgroundJobs({
    onProgress: (jobId, { percent, message }) => note('progress', jobId, percent, message),
    onComplete: (jobId) => note('complete', jobId),
    onError: (jobId, { code }) => note('error', jobId, code),
    onCancel: (jobId) => note('cancel', jobId),
  });
  useEffect(() => {
    window.jobs.mounts += 1;
  }, []);
  window.jobs.createJob = createJob;
  window.jobs.cancelJob = cancelJob;
  return <output aria-label={`Connection of ${name}`}>{status}</output>;
}

function Text({ jobId }: { readonly jobId: string }): JSX.Element {
  const { text, isLive, isEnded } = useJobStream(jobId, {
    onEnd: (whole) => void window.jobs.heard.push(`text end ${whole}`),
  });
  return (
    <output aria-label="Text" data-live={isLive} data-ended={isEnded}>
      {text}
    </output>
  );
}

/** Cards that tests can tell apart, where wanted. */
const titleOf = wanted.get('titles') === 'ids' ? (job: Job) => job.jobId : undefined;

function App(): JSX.Element {
  const [isShown, setShown] = useState(true);
  const [watched, watch] = useState(decodeURIComponent(location.hash.slice(1)));
  window.jobs.show = setShown;
  window.jobs.watch = (jobId) => {
    location.hash = encodeURIComponent(jobId);
    watch(jobId);
  };
  return (
    <main>
      <h1>Background jobs</h1>
      {isShown ? <Listener name="first" /> : null}
      <Listener name="second" />
      {watched === '' ? null : <Text jobId={watched} />}
      <JobProgressNotifications
        onViewResult={() => undefined}
        browserNotifications
        titleOf={titleOf}
        maxVisible={titleOf === undefined ? 4 : 1_000}
      />
    </main>
  );
}

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <JobsProvider userId={userId} authToken={() => window.jobs.token}>
      <App />
    </JobsProvider>
  </StrictMode>,
);
