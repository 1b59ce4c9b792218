import { JobsApiError } from '@careerlens/jobs-react';
import { useEffect, useRef } from 'react';

import { AlertIcon } from './icons';

const LOST: Partial<Record<string, string>> = {
  network: 'Check your connection and try again; nothing was lost.',
  timeout: 'Try again in a moment; nothing was lost.',
};

interface Props {
  readonly error: unknown;
  readonly title?: string;
  /** Which fields' problems already stand beside the fields. */
  readonly isShown?: (field: string) => boolean;
}

/** A refused request, told in full: the reason, each field concerned, and what to quote when asking. */
export function Refusal({ error, title, isShown = () => false }: Props) {
  const note = useRef<HTMLDivElement>(null);
  useEffect(() => {
    note.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  if (!(error instanceof JobsApiError)) {
    return (
      <div ref={note} className="note note--danger" role="alert">
        <AlertIcon />
        <p>{error instanceof Error ? error.message : 'Something unexpected happened. Try again.'}</p>
      </div>
    );
  }
  const fields = error.errors.filter(({ field }) => !isShown(field));
  // The detail of wrong fields only repeats them.
  const repeats = error.errors.length > 0;
  const explanation = LOST[error.code] ?? (repeats ? '' : error.detail);
  return (
    <div ref={note} className="note note--danger refusal" role="alert">
      <AlertIcon />
      <div>
        <p>
          <strong>{title ?? error.title}</strong>
        </p>
        {explanation === '' ? null : <p>{explanation}</p>}
        {fields.length === 0 ? null : (
          <ul className="refusal__fields">
            {fields.map(({ field, message, code }) => (
              <li key={`${field} ${code}`}>
                <code>{field}</code> {message}
              </li>
            ))}
          </ul>
        )}
        {error.retryAfter === null ? null : (
          <p>
            Try again in {error.retryAfter} {error.retryAfter === 1 ? 'second' : 'seconds'}.
          </p>
        )}
        {error.requestId === null ? null : (
          <p className="refusal__request">
            Request id <code>{error.requestId}</code>
          </p>
        )}
      </div>
    </div>
  );
}
