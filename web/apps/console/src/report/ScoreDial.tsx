const TICKS = 60;
const SIZE = 200;
const CENTRE = SIZE / 2;

export type Grade = "good" | "fair" | "poor";

export function gradeOf(score: number): Grade {
  if (score >= 75) return "good";
  return score >= 50 ? "fair" : "poor";
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
            className={index < set ? "dial__tick dial__tick--set" : "dial__tick"}
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

/** One part of the score, as a number and a bar. */
export function Meter(props: { label: string; value: number; note?: string | null }) {
  const { label, value, note } = props;
  const rounded = Math.round(value);
  return (
    <div className={`meter meter--${gradeOf(value)}`}>
      <div className="meter__head">
        <span>{label}</span>
        <span className="meter__value numerals">{rounded}</span>
      </div>
      <div
        className="meter__track"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={rounded}
      >
        <div className="meter__fill" style={{ transform: `scaleX(${rounded / 100})` }} />
      </div>
      {note == null || note === "" ? null : <p className="meter__note small muted">{note}</p>}
    </div>
  );
}
