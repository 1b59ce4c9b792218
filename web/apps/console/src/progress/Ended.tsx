import type { Job } from '@careerlens/jobs-react';
import type { ReactNode } from 'react';

import { AlertIcon, CloseIcon } from '../shell/icons';
import { HOME_LINK } from '../shell/routing';

/** What to do where the job's own sentence, shown above it, does not say. By error code. */
const ADVICE: Readonly<Partial<Record<string, string>>> = {
  timeout: 'Trying again often helps. If it happens once more, paste the text instead.',
  out_of_memory: 'The file asks for more than we give to one résumé. Paste its text instead.',
  crashed: 'Something in the file upset our reader. Export it again as PDF, or paste its text.',
  upload_gone: 'Files are kept for a day only. Hand it in once more.',
};

interface Props {
  readonly job: Job;
  readonly again: ReactNode;
}

/** A job that ended without a report, in kind words, with the way on. */
export function Ended({ job, again }: Props) {
  const cancelled = job.status === 'cancelled';
  const advice = job.errorCode === null ? undefined : ADVICE[job.errorCode];
  return (
    <section className="ended card" aria-label="Outcome" role="status">
      <span className={`ended__icon ${cancelled ? '' : 'ended__icon--failed'}`}>
        {cancelled ? <CloseIcon size={26} /> : <AlertIcon size={26} />}
      </span>
      <div className="ended__body">
        <h2>{cancelled ? 'Stopped, as you asked' : 'We could not finish this report'}</h2>
        <p>
          {cancelled
            ? 'Nothing more will happen to this résumé.'
            : (job.error ?? 'Something went wrong on our side, and the details have been noted.')}
        </p>
        {cancelled || advice === undefined ? null : <p>{advice}</p>}
        {!cancelled && job.attemptsMade > 1 ? (
          <p className="small muted">Tried {job.attemptsMade} times.</p>
        ) : null}
        <div className="ended__actions">
          {again}
          <a className="button button--quiet" href={HOME_LINK}>
            All reports
          </a>
        </div>
      </div>
    </section>
  );
}
