import type { Job } from "@careerlens/jobs-react";

import type { About } from "./about";

/** How a job is called in a list and at the head of its page. */
export interface Headline {
  readonly title: string;
  readonly detail: string | null;
  readonly score: number | null;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** "cover-letter" as "Cover letter". */
export function describeType(type: string): string {
  const words = type.replace(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function headline(job: Job, about: About | null): Headline {
  const result = fieldsOf(job.result);
  const role = result["targetRole"] ?? fieldsOf(job.progress?.data)["targetRole"] ?? about?.targetRole;
  const score = result["atsScore"];
  return {
    title: typeof role === "string" && role !== "" ? role : describeType(job.type),
    detail: about?.sourceName ?? null,
    score: typeof score === "number" && job.status === "completed" ? Math.round(score) : null,
  };
}
