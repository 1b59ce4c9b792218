import { act, cleanup, render, renderHook, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { StrictMode } from 'react';
import { expect, it, onTestFinished, vi } from 'vitest';

import {
  JobProgressNotifications,
  type JobProgressNotificationsProps,
} from '../src/react/job-progress-notifications.js';
import { useBackgroundJobs } from '../src/react/use-background-jobs.js';
import { problem, type Backend } from './backend.js';
import { eventually, openPage, startBackend } from './harness.js';

async function show(backend: Backend, props: Partial<JobProgressNotificationsProps> = {}): Promise<void> {
  render(
    <StrictMode>
      <JobProgressNotifications userId={backend.user} authToken="jwt-token" apiUrl={backend.apiUrl} {...props} />
    </StrictMode>,
  );
  await eventually(() => expect(backend.openSockets).toBe(1));
}

function card(title = 'Resume optimization'): HTMLElement {
  return screen.getByRole('listitem', { name: title });
}

it('shows a job from its first moment to its result', async () => {
  const backend = await startBackend();
  const onViewResult = vi.fn();
  await show(backend, { onViewResult });
  expect(screen.queryByRole('listitem')).toBeNull();

  const jobId = backend.create(backend.user);
  await eventually(() => expect(within(card()).getByText('Waiting for its turn')).toBeVisible());
  expect(screen.getByRole('progressbar')).toHaveAttribute('aria-valuetext', 'Waiting for its turn');

  backend.progress(jobId, 40, 'Comparing with the market');
  await eventually(() => expect(within(card()).getByText('Comparing with the market')).toBeVisible());
  const bar = screen.getByRole('progressbar', { name: 'Resume optimization' });
  expect(bar).toHaveAttribute('value', '40');
  expect(bar).toHaveAttribute('aria-valuetext', '40%, Comparing with the market');

  backend.complete(jobId, { atsScore: 81 });
  await eventually(() => expect(within(card()).getByText('Done')).toBeVisible());
  expect(screen.queryByRole('progressbar')).toBeNull();
  await userEvent.click(screen.getByRole('button', { name: 'View result: Resume optimization' }));
  expect(onViewResult.mock.calls).toMatchObject([[{ jobId, result: { atsScore: 81 } }]]);

  await userEvent.click(screen.getByRole('button', { name: 'Dismiss: Resume optimization' }));
  expect(screen.queryByRole('listitem')).toBeNull();
  expect(screen.getByRole('region', { name: 'Background jobs' })).toHaveFocus();
});

it('cancels a job, and says so until it has really stopped', async () => {
  const backend = await startBackend();
  await show(backend);
  const jobId = backend.create(backend.user);
  backend.progress(jobId, 10);
  await userEvent.click(await screen.findByRole('button', { name: 'Cancel: Resume optimization' }));
  const button = screen.getByRole('button', { name: 'Cancel: Resume optimization' });
  await eventually(() => expect(button).toHaveAttribute('aria-disabled', 'true'));
  await userEvent.click(button);
  expect(backend.requestsTo('POST', /cancel$/)).toHaveLength(1);
  backend.cancelled(jobId);
  await eventually(() => expect(within(card()).getByText('Cancelled')).toBeVisible());
});

it('says why a job could not be cancelled, and lets it be tried again', async () => {
  const backend = await startBackend();
  let isDown = true;
  backend.intercept = ({ path }) =>
    isDown && path.endsWith('/cancel') ? problem(503, 'service-unavailable', 'Unavailable', 'Try again soon.') : null;
  await show(backend);
  backend.create(backend.user);
  const button = await screen.findByRole('button', { name: 'Cancel: Resume optimization' });
  await userEvent.click(button);
  expect(await screen.findByText('Try again soon.')).toBeVisible();
  isDown = false;
  await userEvent.click(button);
  await eventually(() => expect(within(card()).getByText('Cancelled')).toBeVisible());
  expect(screen.queryByText('Try again soon.')).toBeNull();
});

it('shows the reason of a failure and that another attempt is coming', async () => {
  const backend = await startBackend();
  await show(backend);
  const jobId = backend.create(backend.user);
  backend.begin(jobId);
  backend.retry(jobId, 1);
  // How many attempts a job has is in its status, which a list brings.
  await eventually(() => expect(within(card()).getByText(/Did not work, trying again/)).toBeVisible());
  backend.fail(jobId, 'The PDF holds no text.', 'no_text');
  await eventually(() => expect(within(card()).getByText('The PDF holds no text.')).toBeVisible());
});

it('says aloud that a job began and how it ended, and nothing in between', async () => {
  const backend = await startBackend();
  const before = backend.create(backend.user);
  await show(backend);
  await eventually(() => expect(screen.getAllByRole('listitem')).toHaveLength(1));
  const spoken: string[] = [];
  const live = screen.getByRole('status');
  new MutationObserver(() => spoken.push(live.textContent)).observe(live, {
    childList: true,
    characterData: true,
    subtree: true,
  });
  backend.progress(before, 20, 'Reading');
  backend.progress(before, 60, 'Scoring');
  await eventually(() => expect(screen.getByText('Scoring')).toBeVisible());
  backend.complete(before, 1);
  await eventually(() => expect(spoken.at(-1)).toBe('Resume optimization: Done'));
  expect(spoken).not.toContain('Resume optimization: Scoring');
});

it('folds many jobs away, and clears all that ended', async () => {
  const backend = await startBackend();
  await show(backend, { maxVisible: 2 });
  const jobIds = Array.from({ length: 5 }, () => backend.create(backend.user));
  await eventually(() => expect(screen.getByRole('button', { name: 'Show 3 more' })).toBeVisible());
  expect(screen.getAllByRole('listitem')).toHaveLength(2);
  await userEvent.click(screen.getByRole('button', { name: 'Show 3 more' }));
  expect(screen.getAllByRole('listitem')).toHaveLength(5);
  for (const jobId of jobIds.slice(0, 4)) act(() => backend.complete(jobId, 1));
  await eventually(() => expect(screen.getAllByText('Done')).toHaveLength(4));
  await userEvent.click(screen.getByRole('button', { name: 'Clear finished' }));
  expect(screen.getAllByRole('listitem')).toHaveLength(1);
});

it('says when updates come by polling, and when the session has ended', async () => {
  const backend = await startBackend();
  await show(backend);
  backend.create(backend.user);
  await eventually(() => expect(card()).toBeVisible());
  await backend.stopGateway();
  expect(await screen.findByText(/Live updates are interrupted/)).toBeVisible();
  backend.accepts = () => false;
  expect(await screen.findByText(/Your session has ended/)).toBeVisible();
});

it('speaks other words, uses other titles and takes theme and place', async () => {
  const backend = await startBackend();
  const labels = { region: 'Aufgaben', queued: 'Wartet', cancel: 'Abbrechen' };
  await show(backend, { labels, titleOf: () => 'Lebenslauf', theme: 'dark', position: 'top-left', className: 'mine' });
  backend.create(backend.user);
  await eventually(() => expect(within(card('Lebenslauf')).getByText('Wartet')).toBeVisible());
  expect(screen.getByRole('button', { name: 'Abbrechen: Lebenslauf' })).toBeVisible();
  const region = screen.getByRole('region', { name: 'Aufgaben' });
  expect(region).toHaveAttribute('data-theme', 'dark');
  expect(region).toHaveAttribute('data-position', 'top-left');
  expect(region).toHaveClass('clj-region', 'mine');
});

it('lets a failed job of this page be tried again, from the same input', async () => {
  const backend = await startBackend();
  await show(backend);
  const { result } = renderHook(() =>
    useBackgroundJobs({ userId: backend.user, authToken: 'jwt-token', apiUrl: backend.apiUrl }),
  );
  const jobId = await act(() => result.current.createJob({ type: 'resume-optimization', targetRole: 'Nurse' }));
  act(() => backend.fail(jobId, 'The file is empty.', 'empty_file'));
  await userEvent.click(await screen.findByRole('button', { name: 'Try again: Resume optimization' }));
  await eventually(() => expect(within(card()).getByText('Waiting for its turn')).toBeVisible());
  expect(screen.getAllByRole('listitem')).toHaveLength(1);
  const bodies = backend.requestsTo('POST', /jobs$/).map(({ body }) => body);
  expect(bodies[1]).toBe(bodies[0]);
});

it('offers no second try of a job whose input it does not know, unless the application does', async () => {
  const backend = await startBackend();
  await show(backend);
  const jobId = backend.create(backend.user);
  backend.fail(jobId, 'The file is empty.', 'empty_file');
  await eventually(() => expect(within(card()).getByText('The file is empty.')).toBeVisible());
  expect(screen.queryByRole('button', { name: /Try again/ })).toBeNull();
  const onRetry = vi.fn(() => Promise.reject(new Error('Not today.')));
  cleanup();
  await show(backend, { onRetry });
  await userEvent.click(await screen.findByRole('button', { name: 'Try again: Resume optimization' }));
  expect(onRetry.mock.calls).toMatchObject([[{ jobId }]]);
  expect(await screen.findByText('Not today.')).toBeVisible();
});

/** The system's notifications, as far as a page sees of them, and what it has shown there. */
function systemNotifications(permission: NotificationPermission): {
  shown: [string, NotificationOptions | undefined][];
  requestPermission: () => Promise<NotificationPermission>;
} {
  const shown: [string, NotificationOptions | undefined][] = [];
  const requestPermission = vi.fn((): Promise<NotificationPermission> => Promise.resolve((permission = 'granted')));
  class SystemNotification {
    static get permission(): NotificationPermission {
      return permission;
    }
    static readonly requestPermission = requestPermission;
    constructor(title: string, options?: NotificationOptions) {
      shown.push([title, options]);
    }
  }
  vi.stubGlobal('Notification', SystemNotification);
  onTestFinished(() => void vi.unstubAllGlobals());
  return { shown, requestPermission };
}

it('asks for leave to notify on a click alone, and notifies while nobody looks', async () => {
  const backend = await startBackend();
  const { shown, requestPermission } = systemNotifications('default');
  await show(backend, { browserNotifications: true });
  const seen = backend.create(backend.user);
  const unseen = backend.create(backend.user);
  const button = await screen.findByRole('button', { name: 'Notify me when done' });
  expect(requestPermission).not.toHaveBeenCalled();
  await userEvent.click(button);
  expect(requestPermission).toHaveBeenCalledTimes(1);
  await eventually(() => expect(screen.queryByRole('button', { name: 'Notify me when done' })).toBeNull());

  act(() => backend.complete(seen, 1));
  await eventually(() => expect(screen.getAllByText('Done')).toHaveLength(1));
  const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
  onTestFinished(() => visibility.mockRestore());
  act(() => backend.complete(unseen, 1));
  await eventually(() => expect(shown).toEqual([['Resume optimization', { body: 'Done', tag: unseen }]]));
});

it('tells nothing through the system of what had ended before the page opened', async () => {
  const backend = await startBackend();
  const jobId = backend.create(backend.user);
  const before = openPage(backend);
  await eventually(() => expect(before.job(jobId)).toBeDefined());
  backend.complete(jobId, 1);
  await eventually(() => expect(before.heard).toEqual(['complete 1']));
  before.leave();
  const { shown } = systemNotifications('granted');
  const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
  onTestFinished(() => visibility.mockRestore());
  await show(backend, { browserNotifications: true });
  await eventually(() => expect(screen.getAllByText('Done')).toHaveLength(1));
  expect(shown).toEqual([]);
});

it('says when there is no network', async () => {
  const backend = await startBackend();
  await show(backend);
  backend.create(backend.user);
  await eventually(() => expect(card()).toBeVisible());
  const onLine = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
  onTestFinished(() => onLine.mockRestore());
  window.dispatchEvent(new Event('offline'));
  backend.cutSockets();
  expect(await screen.findByText(/You are offline/)).toBeVisible();
});
