import { fileURLToPath } from 'node:url';

import type { Alias, Plugin } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What an application's own paths would lead to. */
export const applicationPaths: Alias[] = [
  { find: '@/hooks/use-background-jobs', replacement: here('../../src/react/use-background-jobs.ts') },
  {
    find: '@/components/jobs/job-progress-notifications',
    replacement: here('../../src/react/job-progress-notifications.tsx'),
  },
];

/** Serves the examples as they stand, and exports the component that one of them keeps to itself. */
export const quickstartExamples: Plugin = {
  name: 'quickstart-examples',
  enforce: 'pre',
  resolveId: (id) => (id.startsWith('quickstart:') ? here(`${id.slice('quickstart:'.length)}.tsx`) : null),
  transform: (code, id) => (id.endsWith('/create-a-job.tsx') ? `${code}\nexport { MyComponent };\n` : null),
};
