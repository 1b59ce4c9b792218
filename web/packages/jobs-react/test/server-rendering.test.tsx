// @vitest-environment node
import { renderToString } from 'react-dom/server';
import { expect, it } from 'vitest';

import { JobProgressNotifications, useBackgroundJobs } from '../src/index.js';

function Page() {
  const { jobs, connected, status } = useBackgroundJobs({ userId: 'user-123', authToken: 'jwt-token' });
  return (
    <main>
      {jobs.length} {String(connected)} {status}
      <JobProgressNotifications userId="user-123" authToken="jwt-token" />
    </main>
  );
}

it('renders on a server, which has no window, as before the first news', () => {
  expect(typeof window).toBe('undefined');
  const html = renderToString(<Page />).replaceAll('<!-- -->', '');
  expect(html).toContain('0 false idle');
  expect(html).toContain('aria-label="Background jobs"');
  expect(html).not.toContain('style=');
});
