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

/** Passages as they stand in the résumé, under the marker pen. */
export function Evidence({ passages }: { passages: readonly Passage[] }) {
  if (passages.length === 0) return null;
  return (
    <div className="evidence">
      {passages.map(({ quote, where }, index) => (
        <figure key={`${quote} ${index}`} className="evidence__passage">
          <blockquote>
            <mark>{quote}</mark>
          </blockquote>
          {where === '' ? null : <figcaption className="small muted">{where}</figcaption>}
        </figure>
      ))}
    </div>
  );
}
