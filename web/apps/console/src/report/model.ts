/** A report as the page shows it. `reading.ts` makes it from a job's result. */
export interface Report {
  readonly targetRole: string;
  readonly score: number;
  /** The verdict in a word or two, and in a sentence. Either may be empty. */
  readonly verdict: string;
  readonly summary: string;
  readonly parts: readonly ScorePart[];
  readonly keywords: Keywords;
  readonly verbs: Verbs;
  readonly findings: readonly Finding[];
  readonly strengths: readonly Strength[];
  readonly gaps: readonly SkillGap[];
  readonly sections: readonly SectionNote[];
  readonly quickWins: readonly string[];
  readonly provenance: readonly ProvenanceFact[];
}

export interface ScorePart {
  readonly label: string;
  readonly value: number;
  readonly note: string;
}

export interface Keyword {
  readonly term: string;
  /** How often it was found; 0 for a missing one. */
  readonly count: number;
  /** The share of job advertisements that ask for it, 0 to 1, or `null` when not known. */
  readonly demand: number | null;
  readonly passage: string | null;
}

export interface Keywords {
  readonly found: readonly Keyword[];
  readonly missing: readonly Keyword[];
  readonly note: string;
}

export interface VerbAdvice {
  readonly verb: string;
  readonly passage: string;
  readonly alternatives: readonly string[];
  readonly rewrite: string;
}

export interface Verbs {
  readonly note: string;
  readonly strong: readonly { readonly verb: string; readonly count: number }[];
  readonly weak: readonly VerbAdvice[];
}

export type Priority = "high" | "medium" | "low";

/** A passage of the résumé, as it stands there. `where` names its section or line, if known. */
export interface Passage {
  readonly quote: string;
  readonly where: string;
}

export interface Finding {
  readonly priority: Priority;
  readonly category: string;
  readonly issue: string;
  readonly recommendation: string;
  readonly evidence: readonly Passage[];
}

export interface Strength {
  readonly text: string;
  readonly evidence: readonly Passage[];
}

export interface SkillGap {
  readonly skill: string;
  readonly demand: number | null;
  readonly importance: string;
  readonly advice: string;
}

export interface SectionNote {
  readonly name: string;
  /** `null` when the section has no score of its own. */
  readonly score: number | null;
  readonly present: boolean;
  readonly feedback: string;
  readonly suggestions: readonly string[];
}

export interface ProvenanceFact {
  readonly label: string;
  readonly value: string;
}

export const PRIORITIES: readonly Priority[] = ["high", "medium", "low"];
export const PRIORITY_NAMES: Readonly<Record<Priority, string>> = {
  high: "Fix first",
  medium: "Worth fixing",
  low: "When you have time",
};
