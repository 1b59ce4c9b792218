import { act } from '@testing-library/react';
import { StrictMode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { expect, it, onTestFinished } from 'vitest';

import { JobProgressNotifications } from '../src/index.js';
import { eventually, openPage, startBackend } from './harness.js';

it('takes over what a server rendered without a mismatch, though storage holds jobs', async () => {
  const backend = await startBackend();
  const before = openPage(backend);
  await before.client.createJob({ type: 'resume-optimization' });
  before.leave();

  const app = (
    <StrictMode>
      <JobProgressNotifications userId={backend.user} authToken="jwt-token" apiUrl={backend.apiUrl} />
    </StrictMode>
  );
  const container = document.createElement('div');
  container.innerHTML = renderToString(app);
  document.body.append(container);
  const mismatches: unknown[] = [];
  const root = await act(() => hydrateRoot(container, app, { onRecoverableError: (error) => mismatches.push(error) }));
  onTestFinished(() => act(() => root.unmount()));
  await eventually(() => expect(container.querySelectorAll('li')).toHaveLength(1));
  await eventually(() => expect(backend.openSockets).toBe(1));
  expect(mismatches).toEqual([]);
});
