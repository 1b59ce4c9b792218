/** A page for tests in a real browser: it shows the jobs, notes every event, and does as it is told. */

import { StrictMode, useState, type JSX } from 'react';
import { createRoot } from 'react-dom/client';

import { JobProgressNotifications, JobsProvider, useBackgroundJobs } from '../../src/index.js';

interface Controls {
  /** Every event of every component that listens, in order: `listener kind jobId detail`. */
  readonly heard: string[];
  /** What `authToken` gives. */
  token: string;
  createJob: (input: { type: string; [field: string]: unknown }) => Promise<string>;
  show: (isShown: boolean) => void;
}

declare global {
  interface Window {
    jobs: Controls;
  }
}

const wanted = new URLSearchParams(location.search);
const userId = wanted.get('user') ?? 'user-123';
window.jobs = {
  heard: [],
  token: wanted.get('token') ?? '',
  createJob: () => Promise.reject(new Error('not yet')),
  show: () => undefined,
};

function Listener({ name }: { readonly name: string }): JSX.Element {
  const note = (...words: unknown[]): void => void window.jobs.heard.push([name, ...words].join(' '));
  const { createJob, status } = useBackgroundJobs({
    onProgress: (jobId, { percent, message }) => note('progress', jobId, percent, message),
    onComplete: (jobId) => note('complete', jobId),
    onError: (jobId, { code }) => note('error', jobId, code),
    onCancel: (jobId) => note('cancel', jobId),
  });
  window.jobs.createJob = createJob;
  return <output aria-label={`Connection of ${name}`}>{status}</output>;
}

function App(): JSX.Element {
  const [isShown, setShown] = useState(true);
  window.jobs.show = setShown;
  return (
    <main>
      <h1>Background jobs</h1>
      {isShown ? <Listener name="first" /> : null}
      <Listener name="second" />
      <JobProgressNotifications onViewResult={() => undefined} browserNotifications />
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
