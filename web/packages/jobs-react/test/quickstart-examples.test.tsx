import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, onTestFinished, vi } from 'vitest';

import { timings } from '../src/core/timings.js';
import { eventually, startBackend } from './harness.js';
import type { Backend } from './backend.js';

/**
 * The examples name no server: they call the page's own origin, as in the browser. Node has no
 * page, so paths are given the test server's origin on their way out.
 */
function serveOrigin(backend: Backend): void {
  const send = globalThis.fetch;
  const fetchFromOrigin = vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => {
    return send(typeof input === 'string' && input.startsWith('/') ? backend.apiUrl + input : input, init);
  });
  onTestFinished(() => fetchFromOrigin.mockRestore());
}

it('run as they stand: a button that creates a job, and its progress on screen', async () => {
  const backend = await startBackend();
  serveOrigin(backend);
  timings.firstList_ = 5;
  const logged = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  onTestFinished(() => logged.mockRestore());
  const { MyComponent } = await import('quickstart:create-a-job');
  const { default: App } = await import('quickstart:display-progress');
  render(
    <>
      <MyComponent />
      <App />
    </>,
  );
  await eventually(() => expect(backend.openSockets).toBe(1));

  await userEvent.click(screen.getByRole('button', { name: 'Optimize Resume' }));
  await eventually(() => expect(logged).toHaveBeenCalledWith('Job created:', expect.stringContaining('user-123:')));
  const jobId = String(logged.mock.calls.find(([text]) => text === 'Job created:')?.[1]);
  expect(JSON.parse(backend.requestsTo('POST', /jobs$/)[0]?.body ?? '')).toEqual({
    type: 'resume-optimization',
    resumeText: 'My resume...',
    targetRole: 'Full Stack Developer',
  });

  backend.progress(jobId, 40, 'Comparing with the market');
  await eventually(() => expect(logged).toHaveBeenCalledWith(`Job ${jobId}: 40%`));
  await eventually(() => expect(screen.getByText('Comparing with the market')).toBeVisible());
  backend.complete(jobId, { atsScore: 81 });
  await eventually(() => expect(logged).toHaveBeenCalledWith('Job completed:', { atsScore: 81 }));
  await eventually(() => expect(screen.getByText('Done')).toBeVisible());
  expect(logged).toHaveBeenCalledTimes(3);
});
