import { forgetStoredJobs } from '@careerlens/jobs-react/core';

import { forgetAbout } from './library/about';
import { forgetSteps } from './progress/steps';
import { forgetWins } from './report/QuickWins';

/** Removes from this browser what it remembered of a user's jobs. The server keeps the reports. */
export function forgetUser(userId: string): void {
  forgetStoredJobs(userId);
  forgetAbout(userId);
  forgetSteps();
  forgetWins();
}
