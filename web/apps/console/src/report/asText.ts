import { PRIORITIES, PRIORITY_NAMES, type Passage, type Report } from './model';

const share = (value: number): string => `${Math.round(value * 100)}%`;
const quotes = (passages: readonly Passage[]): string[] => passages.map(({ quote }) => `  > ${quote}`);

function block(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `## ${title}`, '', ...lines];
}

/** The report as Markdown, for pasting into a mail or a note. */
export function asText(report: Report): string {
  const { keywords, verbs } = report;
  const findings = PRIORITIES.flatMap((priority) =>
    report.findings
      .filter((finding) => finding.priority === priority)
      .flatMap(({ issue, recommendation, evidence }) => [
        `- **${PRIORITY_NAMES[priority]}: ${issue}** ${recommendation}`,
        ...quotes(evidence),
      ]),
  );
  const missing = keywords.missing.map(({ term, demand }) =>
    demand === null ? term : `${term} (${share(demand)})`,
  );
  const keywordLines = [
    ...(missing.length === 0 ? [] : [`- Missing: ${missing.join(', ')}`]),
    ...(keywords.found.length === 0 ? [] : [`- Found: ${keywords.found.map(({ term }) => term).join(', ')}`]),
  ];
  return [
    `# ${report.role.title}: ${Math.round(report.score)} of 100`,
    '',
    ...[report.quality.summary, report.role.note].filter((line) => line !== ''),
    ...block(
      'Where the score comes from',
      report.parts.map(({ title, points, outOf, reason }) => `- ${title}: ${points} of ${outOf}. ${reason}`),
    ),
    ...block(
      'Quick wins',
      report.quickWins.map(({ action, why }) => `- [ ] ${action}${why === '' ? '' : ` (${why})`}`),
    ),
    ...block('Findings', findings),
    ...block('Keywords', keywordLines),
    ...block(
      'Action verbs',
      verbs.rewrites.flatMap(({ passage, insteadOf, alternatives }) => [
        `- Instead of “${insteadOf}”: ${alternatives.join(', ')}`,
        ...quotes([passage]),
      ]),
    ),
    ...block(
      'Skill gaps',
      report.gaps.map(
        ({ skill, demand, why, howToLearn }) =>
          `- ${skill}${demand === null ? '' : ` (${share(demand)})`}: ${[why, howToLearn].filter(Boolean).join(' ')}`,
      ),
    ),
    ...block(
      'Section by section',
      report.sections.map(
        ({ title, present, feedback }) => `- ${title}${present ? '' : ' (not found)'}: ${feedback}`,
      ),
    ),
    ...block(
      'What works',
      report.strengths.flatMap(({ title, detail, evidence }) => [
        `- ${title}${detail === '' ? '' : `: ${detail}`}`,
        ...quotes(evidence),
      ]),
    ),
    '',
  ].join('\n');
}
