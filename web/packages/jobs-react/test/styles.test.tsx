import { render, screen } from '@testing-library/react';
import { expect, it, onTestFinished, vi } from 'vitest';

import { JobProgressNotifications } from '../src/react/job-progress-notifications.js';
import { startBackend } from './harness.js';

/** jsdom has no constructed style sheets; browsers do. */
class Sheet {
  text = '';
  replaceSync(text: string): void {
    this.text = text;
  }
}

it('brings its styles once, before those of the application and before anything is shown', async () => {
  const own = new Sheet();
  const sheets = [own];
  vi.stubGlobal('CSSStyleSheet', Sheet);
  Object.defineProperty(document, 'adoptedStyleSheets', { value: sheets, configurable: true });
  onTestFinished(() => {
    vi.unstubAllGlobals();
    Reflect.deleteProperty(document, 'adoptedStyleSheets');
  });
  const backend = await startBackend();
  const props = { userId: backend.user, apiUrl: backend.apiUrl };
  render(
    <>
      <JobProgressNotifications {...props} />
      <JobProgressNotifications {...props} />
    </>,
  );
  expect(screen.getAllByRole('region')).toHaveLength(2);
  expect(sheets).toHaveLength(2);
  expect(sheets[0]?.text).toContain('.clj-card');
  expect(sheets[1]).toBe(own);
});
