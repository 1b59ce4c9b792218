import { AlertIcon } from '../shell/icons';
import type { Quality, Report, SalaryBand } from './model';
import { ScoreDial, ScoreParts } from './ScoreDial';

/**
 * What the scores mean for sending the résumé off. Falling thresholds; the first that fits counts.
 * The lower of the two scores decides: neither good keywords nor good writing makes up for the other.
 */
const VERDICTS: readonly (readonly [atLeast: number, verdict: string])[] = [
  [85, 'Ready to send'],
  [70, 'A few fixes from ready'],
  [55, 'A sound base, with gaps to close'],
  [40, 'Work on it before you send it'],
  [0, 'Start with the fixes below'],
];

function verdictOf(score: number): string {
  return VERDICTS.find(([atLeast]) => score >= atLeast)?.[1] ?? '';
}

function describeSalary({ low, median, high, currency }: SalaryBand): string {
  const money = new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
    maximumFractionDigits: 0,
  });
  return `${money.format(low)} to ${money.format(high)} a year, half earn more than ${money.format(median)}`;
}

/** The score, what it is made of, and what to know before reading on. */
export function Summary({ report }: { report: Report }) {
  const { role, score, parts, quality, warnings } = report;
  return (
    <section className="summary card" aria-label="Summary">
      <div className="summary__score">
        <ScoreDial score={score} label="ATS score" />
        <div className="summary__words">
          <h2 className="summary__verdict">{verdictOf(Math.min(score, quality.score ?? score))}</h2>
          {quality.summary === '' ? null : <p>{quality.summary}</p>}
          {role.note === '' ? null : <p className="muted">{role.note}</p>}
          {role.salary === null ? null : <p className="muted">Usual pay: {describeSalary(role.salary)}.</p>}
        </div>
      </div>
      {warnings.length === 0 ? null : (
        <div className="note note--warning summary__warnings">
          <AlertIcon size={18} />
          <ul>
            {warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </div>
      )}
      <div className="summary__parts">
        {parts.length === 0 ? null : (
          <div>
            <h3>
              Where the score comes from <span className="count numerals">{Math.round(score)}</span>
            </h3>
            <ScoreParts parts={parts} />
          </div>
        )}
        <QualityParts quality={quality} />
      </div>
    </section>
  );
}

function QualityParts({ quality }: { quality: Quality }) {
  if (quality.score === null) return null;
  return (
    <div>
      <h3>
        Overall quality
        <span className="count numerals">
          {Math.round(quality.score)}
          {quality.label === '' ? '' : `, ${quality.label}`}
        </span>
      </h3>
      <ScoreParts parts={quality.parts} />
    </div>
  );
}
