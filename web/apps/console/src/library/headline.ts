import type { Job } from '@careerlens/jobs-react';

import { asWords, fieldsOf } from '../shell/fields';
import { readRoleTitle } from '../report/reading';
import type { About } from './about';

/** How a job is called in a list and at the head of its page. */
export interface Headline {
  readonly title: string;
  readonly detail: string | null;
  readonly score: number | null;
}

/** "cover-letter" as "Cover letter"; our own kind by its own name. */
export function describeType(type: string): string {
  return type === 'resume-optimization' ? 'Résumé report' : asWords(type);
}

export function headline(job: Job, about: About | null): Headline {
  const result = fieldsOf(job.result);
  const role = readRoleTitle(result['targetRole']) || (about?.targetRole ?? '');
  const score = result['atsScore'];
  return {
    title: role === '' ? describeType(job.type) : role,
    detail: about?.sourceName ?? null,
    score: typeof score === 'number' && job.status === 'completed' ? Math.round(score) : null,
  };
}
