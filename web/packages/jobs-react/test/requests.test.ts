import { expect, it } from 'vitest';

import { JobsApiError } from '../src/core/errors.js';
import { problem } from './backend.js';
import { eventually, openPage, startBackend } from './harness.js';

const POST = ['POST', /^\/api\/jobs$/] as const;

it('creates a job from its flat fields, without the user, and says who is asking', async () => {
  const backend = await startBackend();
  const page = openPage(backend, { token: 'jwt-token' });
  const jobId = await page.client.createJob({
    type: 'resume-optimization',
    resumeText: 'My resume...',
    targetRole: 'Full Stack Developer',
    userId: backend.user,
    leftOut: undefined,
  });
  const [request] = backend.requestsTo(...POST);
  expect(JSON.parse(request?.body ?? '')).toEqual({
    type: 'resume-optimization',
    resumeText: 'My resume...',
    targetRole: 'Full Stack Developer',
  });
  expect(request?.headers).toMatchObject({
    authorization: 'Bearer jwt-token',
    'x-user-id': backend.user,
    'content-type': 'application/json',
  });
  expect(page.job(jobId)).toMatchObject({ status: 'queued', type: 'resume-optimization' });
});

it('refuses to create a job for somebody else before asking the server', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const attempt = page.client.createJob({ type: 'resume-optimization', userId: 'somebody-else' });
  await expect(attempt).rejects.toMatchObject({ name: 'JobsApiError', code: 'wrong_user' });
  expect(backend.requestsTo(...POST)).toEqual([]);
});

it('tells what is wrong with each field as a typed error', async () => {
  const backend = await startBackend();
  const errors = [{ field: 'resumeText', message: 'Write or upload a résumé.', code: 'missing' }];
  backend.intercept = ({ method }) =>
    method === 'POST' ? problem(422, 'invalid-input', 'Some fields need another look', 'One field.', errors) : null;
  const page = openPage(backend);
  const error: unknown = await page.client.createJob({ type: 'resume-optimization' }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(JobsApiError);
  expect(error).toMatchObject({
    status: 422,
    code: 'invalid-input',
    title: 'Some fields need another look',
    detail: 'One field.',
    message: 'One field.',
    errors,
    requestId: 'request-1',
    isTemporary: false,
  });
  expect(backend.requestsTo(...POST)).toHaveLength(1);
});

it('tells the status even when something before the API answers with a page', async () => {
  const backend = await startBackend();
  backend.intercept = ({ method }) => (method === 'POST' ? { status: 413, body: '<html>' } : null);
  const page = openPage(backend);
  await expect(page.client.createJob({ type: 'x' })).rejects.toMatchObject({ status: 413, code: 'http_413' });
});

it('repeats a creation whose answer was lost, under the same idempotency key', async () => {
  const backend = await startBackend();
  let drops = 1;
  backend.intercept = ({ method }) => (method === 'POST' && drops-- > 0 ? 'drop' : null);
  const page = openPage(backend);
  await page.client.createJob({ type: 'resume-optimization' });
  const keys = backend.requestsTo(...POST).map((request) => request.headers['idempotency-key']);
  expect(keys).toHaveLength(2);
  expect(keys[0]).toMatch(/^"[\d-]{20,}"$/);
  expect(keys[1]).toBe(keys[0]);

  await page.client.createJob({ type: 'resume-optimization' });
  expect(backend.requestsTo(...POST).at(-1)?.headers['idempotency-key']).not.toBe(keys[0]);
});

it('waits as long as the server suggests, and gives up when that is too long', async () => {
  const backend = await startBackend();
  backend.intercept = ({ method }) =>
    method === 'POST'
      ? { ...problem(503, 'service-unavailable', 'Briefly unavailable', ''), headers: { 'retry-after': '30' } }
      : null;
  const page = openPage(backend);
  await expect(page.client.createJob({ type: 'x' })).rejects.toMatchObject({
    status: 503,
    retryAfter: 30,
    isTemporary: true,
  });
  expect(backend.requestsTo(...POST)).toHaveLength(1);
});

it('encodes ids once more on the way, so that users with odd names reach their jobs', async () => {
  const backend = await startBackend();
  const userId = 'a:b/c%3A';
  const page = openPage(backend, { userId });
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  expect(jobId).toContain('a%3Ab%2Fc%253A:resume-optimization:');
  await expect(page.client.cancelJob(jobId)).resolves.toMatchObject({ outcome: 'cancelled' });
  expect(backend.requestsTo('POST', /cancel$/)[0]?.path).toBe(`/api/jobs/${encodeURIComponent(jobId)}/cancel`);
});

it('cancels a waiting job at once and a running one when its work has stopped', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const waiting = await page.client.createJob({ type: 'resume-optimization' });
  const running = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.begin(running);
  await eventually(() => expect(page.job(running)?.status).toBe('processing'));

  await expect(page.client.cancelJob(waiting)).resolves.toMatchObject({ outcome: 'cancelled' });
  await eventually(() => expect(page.heard).toEqual(['cancel']));
  await expect(page.client.cancelJob(running)).resolves.toMatchObject({ outcome: 'cancelling' });
  expect(page.job(running)).toMatchObject({ status: 'processing', cancelRequested: true });
  backend.cancelled(running);
  await eventually(() => expect(page.heard).toEqual(['cancel', 'cancel']));
  expect(page.job(running)?.status).toBe('cancelled');
});

it('cancelling too late is told as it is, and the job ends as it had ended', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.complete(jobId, 'report');
  await expect(page.client.cancelJob(jobId)).resolves.toMatchObject({ outcome: 'already_final' });
  await eventually(() => expect(page.heard).toEqual(['complete "report"']));
  expect(page.job(jobId)).toMatchObject({ status: 'completed', result: 'report' });
});

it('asks again for a result that it could not get, and announces it once', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  let failures = 2;
  backend.intercept = ({ path }) =>
    path.endsWith('/status') && failures-- > 0 ? problem(503, 'service-unavailable', 'Briefly', '') : null;
  backend.complete(jobId, 'report');
  await eventually(() => expect(page.heard).toEqual(['complete "report"']));
  expect(backend.requestsTo('GET', /status$/)).toHaveLength(3);
});

it('learns of a completion that happens while an older question is on its way', async () => {
  const backend = await startBackend();
  const page = openPage(backend);
  const jobId = await page.client.createJob({ type: 'resume-optimization' });
  await eventually(() => expect(page.client.getSnapshot().status).toBe('live'));
  backend.begin(jobId);
  await eventually(() => expect(page.job(jobId)?.status).toBe('processing'));
  // The answer to `refresh` says "processing", and arrives after the feed has said "completed".
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const stale = { jobs: [{ jobId, type: 'resume-optimization', status: 'processing', createdAt: 1 }] };
  backend.intercept = async ({ path }) => {
    if (path !== '/api/jobs') return null;
    await held;
    return { status: 200, body: stale };
  };
  const refreshed = page.client.refresh();
  backend.complete(jobId, 'report');
  await eventually(() => expect(page.heard).toEqual(['complete "report"']));
  release();
  await refreshed;
  expect(page.job(jobId)).toMatchObject({ status: 'completed', result: 'report' });
  expect(page.heard).toHaveLength(1);
});
