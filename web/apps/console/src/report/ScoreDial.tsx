import type { ScorePart } from './model';

const TICKS = 60;
const SIZE = 200;
const CENTRE = SIZE / 2;

export type Grade = 'good' | 'fair' | 'poor';

/** How a share from 0 to 100 is coloured. */
export function gradeOf(score: number): Grade {
  if (score >= 70) return 'good';
  return score >= 45 ? 'fair' : 'poor';
}

/** The score as the focusing ring of a lens: one tick for each sixtieth, set up to the score. */
export function ScoreDial({ score, label }: { score: number; label: string }) {
  const set = Math.round((score / 100) * TICKS);
  return (
    <figure className={`dial dial--${gradeOf(score)}`}>
      <svg viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={`${label}: ${Math.round(score)} of 100`}>
        {Array.from({ length: TICKS }, (_, index) => (
          <line
            key={index}
            className={index < set ? 'dial__tick dial__tick--set' : 'dial__tick'}
            x1={CENTRE}
            x2={CENTRE}
            y1={index % 15 === 0 ? 4 : 8}
            y2="20"
            transform={`rotate(${(360 / TICKS) * index} ${CENTRE} ${CENTRE})`}
          />
        ))}
        <circle className="dial__glass" cx={CENTRE} cy={CENTRE} r="72" />
        <text className="dial__number" x={CENTRE} y={CENTRE + 18} textAnchor="middle">
          {Math.round(score)}
        </text>
        <text className="dial__of" x={CENTRE} y={CENTRE + 42} textAnchor="middle">
          of 100
        </text>
      </svg>
      <figcaption className="dial__label">{label}</figcaption>
    </figure>
  );
}

interface BarProps {
  readonly label: string;
  /** 0 to 100. */
  readonly percent: number;
  readonly words: string;
  /** Whether the colour tells good from bad, or only how much. */
  readonly graded?: boolean;
}

/** A bar that measures something. What it says in words stands beside it. */
export function MeterBar({ label, percent, words, graded = true }: BarProps) {
  return (
    <div
      className={`meter__track ${graded ? `meter__track--${gradeOf(percent)}` : ''}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
      aria-valuetext={words}
    >
      <div className="meter__fill" style={{ transform: `scaleX(${percent / 100})` }} />
    </div>
  );
}

const tidy = (points: number): string => String(Math.round(points * 10) / 10);

/** Where the points of a score come from. */
export function ScoreParts({ parts }: { parts: readonly ScorePart[] }) {
  return (
    <ul className="parts">
      {parts.map(({ title, points, outOf, reason }) => (
        <li key={title} className="parts__entry">
          <p className="parts__head">
            <span>{title}</span>
            <span className="parts__points numerals">
              {tidy(points)}
              <span className="muted"> / {tidy(outOf)}</span>
            </span>
          </p>
          <MeterBar
            label={title}
            percent={(points / outOf) * 100}
            words={`${tidy(points)} of ${tidy(outOf)} points`}
          />
          {reason === '' ? null : <p className="small muted">{reason}</p>}
        </li>
      ))}
    </ul>
  );
}
