import { onTestFinished, vi } from 'vitest';

import { JobsClient, type JobsClientOptions } from '../src/core/client.js';
import type { AuthToken, Job } from '../src/core/types.js';
import { Backend } from './backend.js';

/** What a page heard, in order: `progress 40`, `complete {...}`, `error code`, `cancel`. */
export type Heard = string[];

/** A page with one user's jobs on it, without React. */
export interface Page {
  readonly client: JobsClient;
  readonly heard: Heard;
  readonly job: (jobId: string) => Job | undefined;
  /** Go away for good, as a page that is reloaded does. */
  readonly leave: () => void;
}

export async function startBackend(): Promise<Backend> {
  const backend = await Backend.start();
  onTestFinished(() => backend.stop());
  return backend;
}

export function openPage(backend: Backend, options: Partial<JobsClientOptions> & { token?: AuthToken } = {}): Page {
  const { token, ...rest } = options;
  const client = new JobsClient({ userId: backend.user, apiUrl: backend.apiUrl, ...rest });
  const heard: Heard = [];
  client.observe({
    onProgress: (_, progress) => heard.push(`progress ${progress.percent}`),
    onComplete: (_, result) => heard.push(`complete ${JSON.stringify(result)}`),
    onError: (_, error) => heard.push(`error ${error.code}`),
    onCancel: () => heard.push('cancel'),
  });
  const release = client.retain(() => token);
  const leave = (): void => {
    window.dispatchEvent(new Event('pagehide'));
    release();
  };
  onTestFinished(release);
  return { client, heard, leave, job: (jobId) => client.getSnapshot().jobs.find((job) => job.jobId === jobId) };
}

/** Wait until `check` throws no more; says what it last threw. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 8_000, interval: 5 });
}
