// @vitest-environment node
// Node's `fetch` sends only Node's own `File`, not the one of jsdom.
import { expect, it } from 'vitest';

import { JobsApi } from '../src/core/api.js';
import { startBackend } from './harness.js';

it('uploads a file as multipart, with the other fields beside it', async () => {
  const backend = await startBackend();
  const api = new JobsApi({ apiUrl: backend.apiUrl, userId: backend.user, token: () => Promise.resolve('jwt-token') });
  const resume = new File(['%PDF-1.7 ...'], 'cv.pdf', { type: 'application/pdf' });
  const created = await api.create({ type: 'resume-optimization', targetRole: 'Nurse', years: 7, note: undefined, resume });
  expect(created).toMatchObject({ type: 'resume-optimization', status: 'queued' });
  const [request] = backend.requestsTo('POST', /^\/api\/jobs$/);
  expect(request?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
  expect(request?.body).toMatch(/name="type"\r\n\r\nresume-optimization\r\n/);
  expect(request?.body).toMatch(/name="targetRole"\r\n\r\nNurse\r\n/);
  expect(request?.body).toMatch(/name="years"\r\n\r\n7\r\n/);
  expect(request?.body).toMatch(/name="resume"; filename="cv.pdf"\r\nContent-Type: application\/pdf\r\n\r\n%PDF-1.7/);
  expect(request?.body).not.toContain('note');
});
