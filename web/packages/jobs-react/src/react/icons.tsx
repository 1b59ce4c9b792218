import type { JSX } from 'react';

import type { JobStatus } from '../core/types.js';

const STROKE = {
  fill: 'none',
  stroke: 'currentColor',
  strokeWidth: 1.75,
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
} as const;

/** A picture of where a job stands; the words beside it say the same. */
export function StatusIcon({ status }: { readonly status: JobStatus }): JSX.Element {
  return (
    <svg className="clj-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {status === 'processing' ? (
        <g className="clj-spinner" {...STROKE}>
          <circle cx="10" cy="10" r="7.5" opacity="0.25" />
          <path d="M10 2.5a7.5 7.5 0 0 1 7.5 7.5" />
        </g>
      ) : (
        <g {...STROKE}>
          <circle cx="10" cy="10" r="7.5" />
          <path d={INSIDE[status]} />
        </g>
      )}
    </svg>
  );
}

const INSIDE: Record<Exclude<JobStatus, 'processing'>, string> = {
  queued: 'M10 6v4l2.5 1.5',
  completed: 'm6.75 10.25 2.25 2.25 4.25-4.75',
  failed: 'M10 6.25v4.5M10 13.5v.01',
  cancelled: 'm7.5 7.5 5 5m0-5-5 5',
};

export function CrossIcon(): JSX.Element {
  return (
    <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" focusable="false">
      <path d="m3 3 8 8m0-8-8 8" {...STROKE} />
    </svg>
  );
}
