/** A report as the page shows it. `reading.ts` makes it from a job's result. */
export interface Report {
  readonly role: Role;
  readonly score: number;
  readonly parts: readonly ScorePart[];
  readonly quality: Quality;
  readonly keywords: Keywords;
  readonly verbs: Verbs;
  readonly findings: readonly Finding[];
  readonly strengths: readonly Strength[];
  readonly gaps: readonly SkillGap[];
  readonly sections: readonly SectionNote[];
  readonly quickWins: readonly QuickWin[];
  /** What a reader of the report should know of the document first, such as hidden text. */
  readonly warnings: readonly string[];
  readonly provenance: readonly Fact[];
}

export interface Role {
  /** The role of our market data, or the one asked for when none is near enough. */
  readonly title: string;
  readonly note: string;
  readonly salary: SalaryBand | null;
}

/** Yearly gross pay, lower quarter to upper quarter. */
export interface SalaryBand {
  readonly low: number;
  readonly median: number;
  readonly high: number;
  readonly currency: string;
}

/** One part of a score: `points` of at most `outOf`, and why. */
export interface ScorePart {
  readonly title: string;
  readonly points: number;
  readonly outOf: number;
  readonly reason: string;
}

/** How good the writing is, apart from any role. `score` is `null` when it was not judged. */
export interface Quality {
  readonly score: number | null;
  readonly label: string;
  readonly summary: string;
  readonly parts: readonly ScorePart[];
}

export type Importance = 'essential' | 'important' | 'useful';

export interface Keyword {
  readonly term: string;
  readonly importance: Importance;
  /** How often it was found; 0 for a missing one. */
  readonly count: number;
  /** The share of postings that ask for it, 0 to 1, or `null` when not known. */
  readonly demand: number | null;
  readonly alsoWritten: readonly string[];
  readonly evidence: readonly Passage[];
}

export interface Keywords {
  readonly found: readonly Keyword[];
  readonly missing: readonly Keyword[];
  /** Found, and not asked for. */
  readonly other: readonly string[];
  readonly note: string;
}

export interface VerbUse {
  readonly verb: string;
  readonly count: number;
}

/** A passage, the opening that weakens it, and openings that would say more. */
export interface Rewrite {
  readonly passage: Passage;
  readonly insteadOf: string;
  readonly alternatives: readonly string[];
}

export interface Verbs {
  /** How many statements were looked at, and the share of them that opens strongly, 0 to 1. */
  readonly statements: number;
  readonly strongShare: number | null;
  readonly strong: readonly VerbUse[];
  readonly repeated: readonly VerbUse[];
  readonly rewrites: readonly Rewrite[];
}

export type Priority = 'high' | 'medium' | 'low';

/** A passage of the résumé, word for word. `where` names its line, if known. */
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
  readonly title: string;
  readonly detail: string;
  readonly evidence: readonly Passage[];
}

export interface SkillGap {
  readonly skill: string;
  readonly demand: number | null;
  readonly importance: Importance;
  /** Against the role's median pay, in per cent. */
  readonly salaryUplift: number | null;
  readonly why: string;
  readonly howToLearn: string;
  readonly related: readonly string[];
}

export interface SectionNote {
  readonly title: string;
  readonly score: number;
  readonly present: boolean;
  readonly required: boolean;
  /** The heading it stands under in the résumé, with its lines; empty when it has none. */
  readonly where: string;
  readonly feedback: string;
  readonly evidence: readonly Passage[];
}

/** A small change, the points the score would gain by it, and the minutes it takes. */
export interface QuickWin {
  readonly action: string;
  readonly why: string;
  readonly points: number | null;
  readonly minutes: number | null;
}

export interface Fact {
  readonly label: string;
  readonly value: string;
}

export const PRIORITIES: readonly Priority[] = ['high', 'medium', 'low'];
export const PRIORITY_NAMES: Readonly<Record<Priority, string>> = {
  high: 'Fix first',
  medium: 'Worth fixing',
  low: 'When you have time',
};

export const IMPORTANCES: readonly Importance[] = ['essential', 'important', 'useful'];
export const IMPORTANCE_NAMES: Readonly<Record<Importance, string>> = {
  essential: 'Essential',
  important: 'Important',
  useful: 'Useful',
};
