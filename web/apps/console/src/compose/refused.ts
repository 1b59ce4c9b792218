import { JobsApiError } from '@careerlens/jobs-react';

import type { DraftProblems } from './draft';

const RESUME_FIELDS = /^(body\.)?(resume|resumeText|resumeFile)(\.|$)/;
const ROLE_FIELDS = /^(body\.)?targetRole(\.|$)/;

/** The server's words continue a field's name; beside the field they stand alone. */
function asSentence(words: string): string {
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** Whether all that a refusal says stands beside the fields already. */
export function isToldByFields(error: unknown): boolean {
  return (
    error instanceof JobsApiError &&
    error.errors.length > 0 &&
    error.errors.every(({ field }) => hasPlace(field))
  );
}

/** Whether the form has a place for what is said about this field. */
export function hasPlace(field: string): boolean {
  return RESUME_FIELDS.test(field) || ROLE_FIELDS.test(field);
}

/** What the server said about the fields of the form, put where the fields are. */
export function fieldProblems(error: unknown): DraftProblems {
  if (!(error instanceof JobsApiError)) return {};
  const resume = error.errors.find(({ field }) => RESUME_FIELDS.test(field));
  const role = error.errors.find(({ field }) => ROLE_FIELDS.test(field));
  return {
    ...(resume === undefined ? {} : { resume: asSentence(resume.message) }),
    ...(role === undefined ? {} : { targetRole: asSentence(role.message) }),
  };
}
