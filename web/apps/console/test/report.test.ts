import { describe, expect, it } from 'vitest';

import { asText } from '../src/report/asText';
import { readReport, readRoleTitle } from '../src/report/reading';
import { cutAround, fitted } from '../src/report/rewriting';
import { asWords } from '../src/shell/fields';

const RESULT = {
  targetRole: {
    requested: 'fullstack',
    matched: 'Full Stack Developer',
    note: 'Compared with postings for Full Stack Developer.',
    salary: { low: 82_000, median: 105_000, high: 135_000, currency: 'USD' },
  },
  atsScore: 74,
  atsBreakdown: [{ title: 'Keywords', points: 26.5, outOf: 45, reason: '14 of 24 skills.' }],
  overallQuality: { score: 68, label: 'fair', summary: 'Clear structure.', breakdown: [] },
  keywordAnalysis: {
    note: '',
    matched: [
      {
        keyword: 'React',
        importance: 'essential',
        demandPercent: 71,
        count: 3,
        evidence: [{ quote: 'in React', line: 13 }],
      },
    ],
    missing: [
      { keyword: 'AWS', importance: 'important', demandPercent: 52, alsoWritten: ['Amazon Web Services'] },
    ],
    otherSkills: ['Redis'],
  },
  actionVerbAnalysis: {
    statements: 9,
    strongShare: 0.67,
    strong: [{ verb: 'led', count: 1 }],
    repeated: [],
    suggestions: [
      {
        passage: { quote: 'Was responsible for the pages', line: 21 },
        insteadOf: 'Was responsible for',
        try: ['Managed'],
      },
    ],
  },
  improvementAreas: [
    {
      priority: 'high',
      category: 'Writing',
      issue: '3 statements open weakly.',
      recommendation: 'Open with what you did.',
      evidence: [{ quote: 'Was responsible for the pages', line: 21 }],
    },
  ],
  strengths: [{ title: 'Measured results', detail: '', evidence: [] }],
  skillGapInsights: [
    {
      skill: 'AWS',
      demandPercent: 52,
      importance: 'important',
      why: 'Often asked for.',
      howToLearn: null,
      related: [],
    },
  ],
  sectionFeedback: [
    {
      title: 'Experience',
      present: true,
      required: true,
      heading: 'EXPERIENCE',
      firstLine: 10,
      lastLine: 25,
      score: 80,
      feedback: 'Good.',
    },
  ],
  quickWins: [{ action: 'Name AWS', why: '', points: 1.9, minutes: 5 }],
  document: {
    format: 'pdf',
    pages: 1,
    words: 310,
    statements: 9,
    quantifiedStatements: 5,
    warnings: ['Hidden text'],
  },
  engine: {
    layers: ['deterministic'],
    version: '0.1.0',
    market: { source: 'Curated', asOf: '2025-10', postings: null },
  },
};

describe('reading a result', () => {
  it('keeps each finding with its passage and line', () => {
    expect(readReport(RESULT)?.findings).toEqual([
      {
        priority: 'high',
        category: 'Writing',
        issue: '3 statements open weakly.',
        recommendation: 'Open with what you did.',
        evidence: [{ quote: 'Was responsible for the pages', where: 'Line 21' }],
      },
    ]);
  });

  it('turns percentages into shares and sections into places', () => {
    const report = readReport(RESULT);
    expect(report?.keywords.missing[0]?.demand).toBe(0.52);
    expect(report?.sections[0]?.where).toBe('“EXPERIENCE”, lines 10 to 25');
  });

  it('tells what the report was made from', () => {
    expect(readReport(RESULT)?.provenance).toEqual([
      { label: 'Document', value: 'PDF, 1 page, 310 words' },
      { label: 'Statements with figures', value: '5 of 9' },
      { label: 'Judged by', value: 'fixed rules, no language model' },
      { label: 'Engine', value: 'CareerLens 0.1.0' },
      { label: 'Market data', value: 'Curated, 2025-10' },
    ]);
  });

  it.each([null, 'text', [], {}, { atsScore: '74' }])('finds no report in %j', (result) => {
    expect(readReport(result)).toBeNull();
  });

  it('survives a result that holds a score and nonsense', () => {
    const report = readReport({ atsScore: 140, improvementAreas: 'none', quickWins: [1, null], engine: 3 });
    expect(report).toMatchObject({ score: 100, findings: [], quickWins: [], provenance: [] });
  });

  it('calls the role by the matched name, or else by the one asked for', () => {
    expect(readRoleTitle(RESULT.targetRole)).toBe('Full Stack Developer');
    expect(readRoleTitle({ requested: 'Falconer', matched: null })).toBe('Falconer');
  });
});

it('is told as text with its passages and boxes to tick', () => {
  const report = readReport(RESULT);
  const text = report === null ? '' : asText(report);
  expect(text).toContain('# Full Stack Developer: 74 of 100');
  expect(text).toContain('- [ ] Name AWS');
  expect(text).toContain(
    '**Fix first: 3 statements open weakly.** Open with what you did.\n  > Was responsible',
  );
  expect(text).toContain('- Missing: AWS (52%)');
});

describe('a passage rewritten', () => {
  it('takes the alternative in the place and the case of the old opening', () => {
    const cut = cutAround('• Was responsible for the pages', 'was responsible for');
    expect(cut).toEqual({ before: '• ', words: 'Was responsible for', after: ' the pages' });
    expect(cut === null ? '' : fitted(cut, 'managed')).toBe('Managed');
  });

  it('is left alone when the opening does not stand in it', () => {
    expect(cutAround('Led the team', 'helped')).toBeNull();
    expect(cutAround('Led the team', '')).toBeNull();
  });
});

it.each([
  ['keywordMatch', 'Keyword match'],
  ['quick-wins', 'Quick wins'],
  ['ATS', 'ATS'],
  ['Writing', 'Writing'],
])('writes %s as %s', (name, words) => {
  expect(asWords(name)).toBe(words);
});
