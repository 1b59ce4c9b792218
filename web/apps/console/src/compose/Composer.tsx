import { useRef, useState, type SyntheticEvent } from 'react';

import { Refusal } from '../shell/Refusal';
import { ArrowIcon } from '../shell/icons';
import type { Draft, DraftProblems } from './draft';
import { problemsWithDraft } from './draft';
import { fieldProblems, hasPlace, isToldByFields } from './refused';
import { ResumePicker } from './ResumePicker';
import { RolePicker } from './RolePicker';

interface Props {
  readonly draft: Draft;
  readonly roles: readonly string[];
  readonly maxUploadBytes: number;
  readonly onDraft: (draft: Draft) => void;
  /** Hands the draft in. A rejection is shown in the form. */
  readonly onSubmit: (draft: Draft) => Promise<void>;
}

/** The form that starts a report. */
export function Composer({ draft, roles, maxUploadBytes, onDraft, onSubmit }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const [sending, setSending] = useState(false);
  const [problems, setProblems] = useState<DraftProblems>({});
  const [refusal, setRefusal] = useState<unknown>(null);

  const change = (next: Draft) => {
    // What was changed is no longer what was complained about.
    setProblems((before) => ({
      ...(next.source === draft.source && before.resume !== undefined ? { resume: before.resume } : {}),
      ...(next.targetRole === draft.targetRole && before.targetRole !== undefined
        ? { targetRole: before.targetRole }
        : {}),
    }));
    setRefusal(null);
    onDraft(next);
  };

  const complain = (found: DraftProblems) => {
    setProblems(found);
    // After the messages are on the page, the first field that has one is where to go on.
    requestAnimationFrame(() => {
      form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    });
  };

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    if (sending) return;
    setRefusal(null);
    const found = problemsWithDraft(draft, maxUploadBytes);
    if (found.resume !== undefined || found.targetRole !== undefined) {
      complain(found);
      return;
    }
    setProblems({});
    setSending(true);
    try {
      await onSubmit(draft);
    } catch (error) {
      setRefusal(error);
      const told = fieldProblems(error);
      if (told.resume !== undefined || told.targetRole !== undefined) complain(told);
    } finally {
      setSending(false);
    }
  };

  return (
    <form
      ref={form}
      className="composer card"
      aria-label="New report"
      noValidate
      onSubmit={(event) => {
        void submit(event);
      }}
    >
      <ResumePicker
        source={draft.source}
        maxUploadBytes={maxUploadBytes}
        error={problems.resume}
        onChange={(source) => {
          change({ ...draft, source });
        }}
      />
      {/* Side by side, so that the open list of roles never covers the button. */}
      <div className="composer__last">
        <RolePicker
          value={draft.targetRole}
          roles={roles}
          error={problems.targetRole}
          onChange={(targetRole) => {
            change({ ...draft, targetRole });
          }}
        />
        <button type="submit" className="button button--primary composer__submit" aria-busy={sending}>
          {sending ? 'Handing it in…' : 'Optimise'}
          {sending ? null : <ArrowIcon />}
        </button>
      </div>
      {refusal === null || isToldByFields(refusal) ? null : <Refusal error={refusal} isShown={hasPlace} />}
      <p className="small muted">Uploaded files are deleted within a day.</p>
    </form>
  );
}
