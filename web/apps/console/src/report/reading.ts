import {
  asWords,
  fieldsOf,
  firstText,
  numberOf,
  recordsOf,
  textOf,
  textsOf,
  type Fields,
} from '../shell/fields';
import type {
  Finding,
  Importance,
  Keyword,
  Keywords,
  Passage,
  Priority,
  Quality,
  QuickWin,
  Report,
  Rewrite,
  Role,
  SalaryBand,
  ScorePart,
  SectionNote,
  SkillGap,
  Strength,
  Verbs,
  VerbUse,
} from './model';
import { readProvenance } from './provenance';

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, value));

/** Reads the result of a `resume-optimization` job; `null` when it is not one. */
export function readReport(result: unknown): Report | null {
  const fields = fieldsOf(result);
  const score = numberOf(fields['atsScore']);
  if (score === null) return null;
  return {
    role: readRole(fields['targetRole']),
    score: clamp(score, 100),
    parts: recordsOf(fields['atsBreakdown']).map(readPart),
    quality: readQuality(fieldsOf(fields['overallQuality'])),
    keywords: readKeywords(fieldsOf(fields['keywordAnalysis'])),
    verbs: readVerbs(fieldsOf(fields['actionVerbAnalysis'])),
    findings: recordsOf(fields['improvementAreas']).map(readFinding),
    strengths: recordsOf(fields['strengths']).map(readStrength),
    gaps: recordsOf(fields['skillGapInsights']).map(readGap),
    sections: recordsOf(fields['sectionFeedback']).map(readSection),
    quickWins: recordsOf(fields['quickWins']).map(readWin),
    warnings: textsOf(fieldsOf(fields['document'])['warnings']),
    provenance: readProvenance(fields),
  };
}

/** The role's name alone, for lists and headings. */
export function readRoleTitle(value: unknown): string {
  const role = fieldsOf(value);
  return firstText(role['matched'], role['requested'], value);
}

function readRole(value: unknown): Role {
  const role = fieldsOf(value);
  return {
    title: readRoleTitle(value),
    note: textOf(role['note']),
    salary: readSalary(fieldsOf(role['salary'])),
  };
}

function readSalary({ low, median, high, currency }: Fields): SalaryBand | null {
  const [from, middle, to] = [numberOf(low), numberOf(median), numberOf(high)];
  const code = textOf(currency);
  if (from === null || middle === null || to === null || !/^[A-Z]{3}$/.test(code)) return null;
  return { low: from, median: middle, high: to, currency: code };
}

function readPart(part: Fields): ScorePart {
  const outOf = Math.max(1, numberOf(part['outOf']) ?? 100);
  return {
    title: firstText(part['title'], asWords(textOf(part['name']))),
    points: clamp(numberOf(part['points']) ?? 0, outOf),
    outOf,
    reason: textOf(part['reason']),
  };
}

function readQuality(quality: Fields): Quality {
  const score = numberOf(quality['score']);
  return {
    score: score === null ? null : clamp(score, 100),
    label: textOf(quality['label']),
    summary: textOf(quality['summary']),
    parts: recordsOf(quality['breakdown']).map(readPart),
  };
}

function readShare(percent: unknown): number | null {
  const number = numberOf(percent);
  return number === null ? null : clamp(number / 100, 1);
}

function readImportance(value: unknown): Importance {
  return value === 'essential' || value === 'important' ? value : 'useful';
}

function readPassages(value: unknown): readonly Passage[] {
  return recordsOf(value).flatMap((passage) => {
    const quote = textOf(passage['quote']);
    if (quote === '') return [];
    const line = numberOf(passage['line']);
    return [{ quote, where: line === null ? '' : `Line ${line}` }];
  });
}

function readKeyword(word: Fields): Keyword {
  return {
    term: textOf(word['keyword']),
    importance: readImportance(word['importance']),
    count: numberOf(word['count']) ?? 0,
    demand: readShare(word['demandPercent']),
    alsoWritten: textsOf(word['alsoWritten']),
    evidence: readPassages(word['evidence']),
  };
}

function readKeywords(fields: Fields): Keywords {
  return {
    found: recordsOf(fields['matched']).map(readKeyword),
    missing: recordsOf(fields['missing']).map(readKeyword),
    other: textsOf(fields['otherSkills']),
    note: textOf(fields['note']),
  };
}

function readVerbUse(use: Fields): VerbUse {
  return { verb: textOf(use['verb']), count: numberOf(use['count']) ?? 1 };
}

function readRewrites(fields: Fields): readonly Rewrite[] {
  return recordsOf(fields['suggestions']).flatMap((suggestion) => {
    const passage = readPassages([suggestion['passage']])[0];
    if (passage === undefined) return [];
    const insteadOf = textOf(suggestion['insteadOf']);
    return [{ passage, insteadOf, alternatives: textsOf(suggestion['try']) }];
  });
}

function readVerbs(fields: Fields): Verbs {
  const share = numberOf(fields['strongShare']);
  return {
    statements: numberOf(fields['statements']) ?? 0,
    strongShare: share === null ? null : clamp(share, 1),
    strong: recordsOf(fields['strong']).map(readVerbUse),
    repeated: recordsOf(fields['repeated']).map(readVerbUse),
    rewrites: readRewrites(fields),
  };
}

function readPriority(value: unknown): Priority {
  return value === 'high' || value === 'low' ? value : 'medium';
}

function readFinding(fields: Fields): Finding {
  return {
    priority: readPriority(fields['priority']),
    category: asWords(textOf(fields['category'])),
    issue: textOf(fields['issue']),
    recommendation: textOf(fields['recommendation']),
    evidence: readPassages(fields['evidence']),
  };
}

function readStrength(fields: Fields): Strength {
  return {
    title: textOf(fields['title']),
    detail: textOf(fields['detail']),
    evidence: readPassages(fields['evidence']),
  };
}

function readGap(fields: Fields): SkillGap {
  return {
    skill: textOf(fields['skill']),
    demand: readShare(fields['demandPercent']),
    importance: readImportance(fields['importance']),
    salaryUplift: numberOf(fields['salaryUpliftPercent']),
    why: textOf(fields['why']),
    howToLearn: textOf(fields['howToLearn']),
    related: textsOf(fields['related']),
  };
}

function readSection(fields: Fields): SectionNote {
  const heading = textOf(fields['heading']);
  const [first, last] = [numberOf(fields['firstLine']), numberOf(fields['lastLine'])];
  const lines = first === null || last === null ? '' : `lines ${first} to ${last}`;
  return {
    title: firstText(fields['title'], asWords(textOf(fields['section']))),
    score: clamp(numberOf(fields['score']) ?? 0, 100),
    present: fields['present'] !== false,
    required: fields['required'] === true,
    where: [heading === '' ? '' : `“${heading}”`, lines].filter((part) => part !== '').join(', '),
    feedback: textOf(fields['feedback']),
    evidence: readPassages(fields['evidence']),
  };
}

function readWin(fields: Fields): QuickWin {
  return {
    action: textOf(fields['action']),
    why: textOf(fields['why']),
    points: numberOf(fields['points']),
    minutes: numberOf(fields['minutes']),
  };
}
