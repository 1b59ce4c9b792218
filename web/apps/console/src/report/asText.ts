import { PRIORITIES, PRIORITY_NAMES, type Passage, type Report } from "./model";

const share = (value: number): string => `${Math.round(value * 100)} %`;
const quotes = (passages: readonly Passage[]): string[] => passages.map(({ quote }) => `  > ${quote}`);

function block(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `## ${title}`, "", ...lines];
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
    ...(missing.length === 0 ? [] : [`- Missing: ${missing.join(", ")}`]),
    ...(keywords.found.length === 0
      ? []
      : [`- Found: ${keywords.found.map(({ term }) => term).join(", ")}`]),
  ];
  return [
    `# ${report.targetRole}: ${Math.round(report.score)} of 100`,
    "",
    ...[report.verdict, report.summary].filter((line) => line !== ""),
    ...report.parts.map(({ label, value }) => `- ${label}: ${Math.round(value)}`),
    ...block(
      "Quick wins",
      report.quickWins.map((win) => `- [ ] ${win}`),
    ),
    ...block("Findings", findings),
    ...block("Keywords", keywordLines),
    ...block(
      "Action verbs",
      verbs.weak.flatMap(({ verb, passage, alternatives, rewrite }) => [
        `- “${verb}”${alternatives.length === 0 ? "" : `: ${alternatives.join(", ")}`}`,
        ...(passage === "" ? [] : [`  > ${passage}`]),
        ...(rewrite === "" ? [] : [`  ${rewrite}`]),
      ]),
    ),
    ...block(
      "Skill gaps",
      report.gaps.map(
        ({ skill, demand, advice }) => `- ${skill}${demand === null ? "" : ` (${share(demand)})`}: ${advice}`,
      ),
    ),
    ...block(
      "Section by section",
      report.sections.map(
        ({ name, present, feedback }) => `- ${name}${present ? "" : " (not found)"}: ${feedback}`,
      ),
    ),
    ...block(
      "What works",
      report.strengths.flatMap(({ text, evidence }) => [`- ${text}`, ...quotes(evidence)]),
    ),
    "",
  ].join("\n");
}
