import { PRIORITIES, PRIORITY_NAMES, type Finding, type Passage } from './model';

/** Findings by priority. Each stands beside the passage it is about, like a note in a margin. */
export function Findings({ findings }: { findings: readonly Finding[] }) {
  if (findings.length === 0) {
    return <p className="muted">Nothing to correct. That is rare; well done.</p>;
  }
  return (
    <div className="findings">
      {PRIORITIES.map((priority) => {
        const group = findings.filter((finding) => finding.priority === priority);
        if (group.length === 0) return null;
        return (
          <section key={priority} className={`findings__group findings__group--${priority}`}>
            <h3>
              {PRIORITY_NAMES[priority]} <span className="count numerals">{group.length}</span>
            </h3>
            <ul>
              {group.map((finding, index) => (
                <FindingNote key={`${finding.issue} ${index}`} finding={finding} />
              ))}
            </ul>
          </section>
        );
      })}
    </div>
  );
}

function FindingNote({ finding }: { finding: Finding }) {
  const { issue, category, recommendation, evidence } = finding;
  return (
    <li className={`finding ${evidence.length === 0 ? 'finding--bare' : ''}`}>
      <div className="finding__note">
        <p className="eyebrow">{category}</p>
        <h4>{issue}</h4>
        <p className="finding__fix">{recommendation}</p>
      </div>
      <Evidence passages={evidence} />
    </li>
  );
}

/** How many passages stand open; more are folded away. */
const MOST_SHOWN = 3;

interface EvidenceProps {
  readonly passages: readonly Passage[];
  /** Whether the marker pen goes over them: they are what to look at, not only where. */
  readonly marked?: boolean;
}

/** Passages as they stand in the résumé. */
export function Evidence({ passages, marked = true }: EvidenceProps) {
  if (passages.length === 0) return null;
  // Folding a single one away would save nothing.
  const shown = passages.length <= MOST_SHOWN + 1 ? passages : passages.slice(0, MOST_SHOWN);
  const folded = passages.slice(shown.length);
  return (
    <div className="evidence">
      <Cuttings passages={shown} marked={marked} />
      {folded.length === 0 ? null : (
        <details className="evidence__more">
          <summary>{folded.length} more passages</summary>
          <div className="evidence">
            <Cuttings passages={folded} marked={marked} />
          </div>
        </details>
      )}
    </div>
  );
}

function Cuttings({ passages, marked }: Required<EvidenceProps>) {
  return passages.map(({ quote, where }, index) => (
    <figure key={`${quote} ${index}`} className="evidence__passage">
      <blockquote>{marked ? <mark>{quote}</mark> : quote}</blockquote>
      {where === '' ? null : <figcaption className="small muted">{where}</figcaption>}
    </figure>
  ));
}
