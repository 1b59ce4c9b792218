'use client';

import { useCreateJob } from '@careerlens/jobs-react';
import type { FormEvent } from 'react';

/** The type's fields and result are known: `targetRole` cannot be forgotten. */
export function OptimizeForm() {
  const { createJob, job, isCreating, error } = useCreateJob<'resume-optimization'>();

  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    // A refusal is in `error`, where the form shows it.
    createJob({
      type: 'resume-optimization',
      resumeText: String(form.get('resumeText')),
      targetRole: String(form.get('targetRole')),
    }).catch(() => undefined);
  };

  return (
    <form onSubmit={submit}>
      <p>
        <label>
          Target role <input name="targetRole" defaultValue="Registered Nurse" />
        </label>
      </p>
      <p>
        <label>
          Résumé <textarea name="resumeText" rows={12} cols={60} />
        </label>
      </p>
      <button disabled={isCreating}>Optimize</button>
      <div role="alert">
        {error === null ? null : <p>{error.message}</p>}
        {error?.errors.map((wrong) => <p key={wrong.field}>{wrong.message}</p>)}
      </div>
      {job === null ? null : <p>{job.result === null ? job.progress?.message : `Score: ${job.result.atsScore}`}</p>}
    </form>
  );
}
