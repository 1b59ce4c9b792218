import type { Job } from '@careerlens/jobs-react';
import { useEffect, useRef, type ReactNode } from 'react';

import { jobLink } from '../shell/routing';
import { describeDuration, describeMoment } from '../shell/time';
import { SectionNotes, SkillGaps, Strengths } from './Details';
import { Findings } from './Findings';
import { KeywordTable } from './KeywordTable';
import type { Fact, Report } from './model';
import { QuickWins } from './QuickWins';
import { Summary } from './Summary';
import { Tools } from './Tools';
import { VerbAdvice } from './VerbAdvice';

interface Section {
  readonly name: string;
  readonly title: string;
  readonly count: number | null;
  readonly body: ReactNode;
}

function sectionsOf(jobId: string, report: Report): readonly Section[] {
  const { quickWins, findings, keywords, verbs, gaps, sections, strengths } = report;
  const all: readonly (Section & { readonly shown: boolean })[] = [
    {
      name: 'quick-wins',
      title: 'Quick wins',
      count: quickWins.length,
      shown: quickWins.length > 0,
      body: <QuickWins jobId={jobId} wins={quickWins} />,
    },
    {
      name: 'findings',
      title: 'Findings',
      count: findings.length,
      shown: true,
      body: <Findings findings={findings} />,
    },
    {
      name: 'keywords',
      title: 'Keywords',
      count: null,
      shown: keywords.found.length + keywords.missing.length > 0,
      body: <KeywordTable keywords={keywords} />,
    },
    {
      name: 'verbs',
      title: 'Action verbs',
      count: verbs.rewrites.length === 0 ? null : verbs.rewrites.length,
      shown: verbs.rewrites.length + verbs.strong.length > 0,
      body: <VerbAdvice verbs={verbs} />,
    },
    {
      name: 'skill-gaps',
      title: 'Skill gaps',
      count: gaps.length,
      shown: gaps.length > 0,
      body: <SkillGaps gaps={gaps} />,
    },
    {
      name: 'sections',
      title: 'Section by section',
      count: null,
      shown: sections.length > 0,
      body: <SectionNotes sections={sections} />,
    },
    {
      name: 'strengths',
      title: 'What works',
      count: strengths.length,
      shown: strengths.length > 0,
      body: <Strengths strengths={strengths} />,
    },
  ];
  return all.filter((section) => section.shown);
}

interface Props {
  /** The job that made the report. */
  readonly job: Job;
  readonly report: Report;
  /** The section the address names. */
  readonly section: string | null;
}

/** The finished report. */
export function ReportView({ job, report, section }: Props) {
  const { jobId } = job;
  const sections = sectionsOf(jobId, report);
  return (
    <article className="report" aria-label="Report">
      <Summary report={report} />

      <div className="report__columns">
        <nav className="report__nav" aria-label="In this report">
          <ul>
            {sections.map(({ name, title, count }) => (
              <li key={name}>
                <a href={jobLink(jobId, name)} aria-current={name === section ? 'location' : undefined}>
                  {title}
                  {count === null ? null : <span className="count numerals">{count}</span>}
                </a>
              </li>
            ))}
          </ul>
          <Tools jobId={jobId} report={report} raw={job.result} />
        </nav>
        <div className="report__body">
          {sections.map(({ name, title, body }) => (
            <ReportSection key={name} name={name} title={title} current={name === section}>
              {body}
            </ReportSection>
          ))}
          <Provenance facts={[...report.provenance, ...timesOf(job)]} />
        </div>
      </div>
    </article>
  );
}

function ReportSection(props: { name: string; title: string; current: boolean; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!props.current) return;
    heading.current?.scrollIntoView({ block: 'start' });
    heading.current?.focus({ preventScroll: true });
  }, [props.current]);
  return (
    <section className="section" aria-labelledby={`section-${props.name}`}>
      <h2 ref={heading} id={`section-${props.name}`} tabIndex={-1}>
        {props.title}
      </h2>
      {props.children}
    </section>
  );
}

function timesOf({ startedAt, completedAt }: Job): readonly Fact[] {
  if (completedAt === null) return [];
  const took =
    startedAt === null ? '' : `, in ${describeDuration(completedAt.getTime() - startedAt.getTime())}`;
  return [{ label: 'Made', value: `${describeMoment(completedAt)}${took}` }];
}

/** Who made the report, and from what. */
function Provenance({ facts }: { facts: readonly Fact[] }) {
  if (facts.length === 0) return null;
  return (
    <footer className="provenance">
      <h2 className="provenance__title">How this report was made</h2>
      <dl>
        {facts.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </footer>
  );
}
