import type { JSX } from 'react';

import type { JobStatus } from '../core/types.js';

const CROSS = 'm7 7 6 6m0-6-6 6';
const INSIDE: Record<JobStatus, string> = {
  queued: 'M10 6v4l2.5 1.5',
  processing: 'M10 2.5a7.5 7.5 0 0 1 7.5 7.5',
  completed: 'm7 10 2 2 4-4',
  failed: 'M10 6v5M10 13.5v.01',
  cancelled: CROSS,
};

/** A picture of where a job stands, or without a status a cross; the words beside it say the same. */
export function Icon({ status }: { readonly status?: JobStatus }): JSX.Element {
  return (
    <svg className="clj-icon" viewBox="0 0 20 20" aria-hidden="true">
      {status && <circle cx="10" cy="10" r="7.5" />}
      <path d={status ? INSIDE[status] : CROSS} />
    </svg>
  );
}
