import { Evidence } from './Findings';
import { IMPORTANCE_NAMES, type SectionNote, type SkillGap, type Strength } from './model';
import { MeterBar } from './ScoreDial';

export function SectionNotes({ sections }: { sections: readonly SectionNote[] }) {
  return (
    <ul className="rows">
      {sections.map((section) => (
        <li key={section.title} className="row">
          <div className="row__head">
            <h3>{section.title}</h3>
            {section.present ? (
              <>
                <MeterBar
                  label={`${section.title} section`}
                  percent={section.score}
                  words={`${Math.round(section.score)} of 100`}
                />
                <p className="small muted numerals">{Math.round(section.score)} of 100</p>
              </>
            ) : (
              <p>
                <span className={`tag ${section.required ? 'tag--failed' : ''}`}>
                  {section.required ? 'Missing' : 'Not found, optional'}
                </span>
              </p>
            )}
          </div>
          <div className="row__body">
            <p>{section.feedback}</p>
            <Evidence passages={section.evidence} marked={false} />
            {section.where === '' ? null : <p className="small muted">Under {section.where}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}

export function SkillGaps({ gaps }: { gaps: readonly SkillGap[] }) {
  return (
    <ul className="rows">
      {gaps.map((gap) => (
        <li key={gap.skill} className="row">
          <div className="row__head">
            <h3>{gap.skill}</h3>
            {gap.demand === null ? null : (
              <>
                <MeterBar
                  label={`Demand for ${gap.skill}`}
                  percent={gap.demand * 100}
                  words={`${Math.round(gap.demand * 100)} per cent of postings`}
                  graded={false}
                />
                <p className="small muted numerals">{Math.round(gap.demand * 100)}% of postings</p>
              </>
            )}
          </div>
          <div className="row__body">
            <p>
              {gap.why} <span className="tag">{IMPORTANCE_NAMES[gap.importance]}</span>
              {gap.salaryUplift === null || gap.salaryUplift <= 0 ? null : (
                <>
                  {' '}
                  <span className="tag tag--completed numerals">
                    +{Math.round(gap.salaryUplift)}% on usual pay
                  </span>
                </>
              )}
            </p>
            {gap.howToLearn === '' ? null : <p>{gap.howToLearn}</p>}
            {gap.related.length === 0 ? null : (
              <p className="small muted">Close to what you have: {gap.related.join(', ')}</p>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

export function Strengths({ strengths }: { strengths: readonly Strength[] }) {
  return (
    <ul className="rows">
      {strengths.map((strength) => (
        <li
          key={strength.title}
          className={`finding ${strength.evidence.length === 0 ? 'finding--bare' : ''}`}
        >
          <div className="finding__note">
            <h3 className="finding__title">{strength.title}</h3>
            {strength.detail === '' ? null : <p className="finding__fix">{strength.detail}</p>}
          </div>
          <Evidence passages={strength.evidence} marked={false} />
        </li>
      ))}
    </ul>
  );
}
