import { Evidence } from "./Findings";
import type { SectionNote, SkillGap, Strength, Verbs } from "./model";
import { Meter } from "./ScoreDial";

/** A passage with the verb it turns on picked out. */
function WithVerb({ passage, verb }: { passage: string; verb: string }) {
  const at = passage.toLowerCase().indexOf(verb.toLowerCase());
  if (verb === "" || at < 0) return <mark>{passage}</mark>;
  return (
    <>
      {passage.slice(0, at)}
      <mark>{passage.slice(at, at + verb.length)}</mark>
      {passage.slice(at + verb.length)}
    </>
  );
}

export function VerbAdviceList({ verbs }: { verbs: Verbs }) {
  return (
    <>
      {verbs.note === "" ? null : <p className="section__lead">{verbs.note}</p>}
      {verbs.weak.length === 0 ? null : (
        <ul className="verbs">
          {verbs.weak.map((advice, index) => (
            <li key={`${advice.passage} ${index}`} className="verbs__entry">
              <blockquote className="verbs__passage">
                <WithVerb passage={advice.passage === "" ? advice.verb : advice.passage} verb={advice.verb} />
              </blockquote>
              <div className="verbs__advice">
                {advice.rewrite === "" ? null : <p className="verbs__rewrite">{advice.rewrite}</p>}
                {advice.alternatives.length === 0 ? null : (
                  <p className="small">
                    <span className="muted">Instead of “{advice.verb}”: </span>
                    {advice.alternatives.join(", ")}
                  </p>
                )}
              </div>
            </li>
          ))}
        </ul>
      )}
      {verbs.strong.length === 0 ? null : (
        <div className="verbs__strong">
          <h3>Strong verbs you use</h3>
          <ul className="chips">
            {verbs.strong.map(({ verb, count }) => (
              <li key={verb} className="chip chip--found">
                {verb}
                {count > 1 ? <span className="chip__aside numerals">×{count}</span> : null}
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

export function SectionNotes({ sections }: { sections: readonly SectionNote[] }) {
  return (
    <ul className="sections">
      {sections.map((section) => (
        <li key={section.name} className="sections__entry">
          <div className="sections__head">
            <h3>{section.name}</h3>
            {section.present ? null : <span className="tag tag--failed">Not found</span>}
          </div>
          {section.score === null || !section.present ? null : (
            <Meter label={`${section.name} section`} value={section.score} />
          )}
          <div className="sections__words">
            {section.feedback === "" ? null : <p>{section.feedback}</p>}
            {section.suggestions.length === 0 ? null : (
              <ul className="bullets">
                {section.suggestions.map((suggestion) => (
                  <li key={suggestion}>{suggestion}</li>
                ))}
              </ul>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

export function SkillGaps({ gaps }: { gaps: readonly SkillGap[] }) {
  return (
    <ul className="gaps">
      {gaps.map((gap) => (
        <li key={gap.skill} className="gaps__entry">
          <div className="gaps__head">
            <h3>{gap.skill}</h3>
            {gap.importance === "" ? null : <span className="tag">{gap.importance}</span>}
          </div>
          {gap.demand === null ? null : (
            <div className="gaps__demand">
              <div
                className="meter__track"
                role="meter"
                aria-label={`Demand for ${gap.skill}`}
                aria-valuemin={0}
                aria-valuemax={100}
                aria-valuenow={Math.round(gap.demand * 100)}
              >
                <div className="meter__fill" style={{ transform: `scaleX(${gap.demand})` }} />
              </div>
              <span className="small muted numerals">{Math.round(gap.demand * 100)} % of advertisements</span>
            </div>
          )}
          {gap.advice === "" ? null : <p>{gap.advice}</p>}
        </li>
      ))}
    </ul>
  );
}

export function Strengths({ strengths }: { strengths: readonly Strength[] }) {
  return (
    <ul className="strengths">
      {strengths.map((strength) => (
        <li key={strength.text} className="strengths__entry">
          <p>{strength.text}</p>
          <Evidence passages={strength.evidence} />
        </li>
      ))}
    </ul>
  );
}
