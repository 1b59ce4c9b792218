import { useState } from 'react';

import type { Rewrite, Verbs, VerbUse } from './model';
import { cutAround, fitted } from './rewriting';

/** How the statements open, and better openings to try on the spot. */
export function VerbAdvice({ verbs }: { verbs: Verbs }) {
  const { statements, strongShare, strong, repeated, rewrites } = verbs;
  return (
    <>
      {strongShare === null || statements === 0 ? null : (
        <p className="section__lead numerals">
          {Math.round(strongShare * statements)} of {statements}{' '}
          {statements === 1 ? 'statement opens' : 'statements open'} with a strong verb.
        </p>
      )}
      {rewrites.length === 0 ? null : (
        <ul className="rewrites">
          {rewrites.map((rewrite, index) => (
            <RewriteEntry key={`${rewrite.passage.quote} ${index}`} rewrite={rewrite} />
          ))}
        </ul>
      )}
      <VerbChips title="Strong verbs you use" verbs={strong} />
      <VerbChips title="Verbs you repeat" verbs={repeated} />
    </>
  );
}

/** The passage as it is, and as it would read with the alternative that is chosen. */
function RewriteEntry({ rewrite }: { rewrite: Rewrite }) {
  const { passage, insteadOf, alternatives } = rewrite;
  const [chosen, setChosen] = useState(0);
  const cut = cutAround(passage.quote, insteadOf);
  const alternative = alternatives[chosen];
  return (
    <li className="rewrite">
      <figure className="evidence__passage">
        <blockquote>
          {cut === null ? (
            <mark>{passage.quote}</mark>
          ) : (
            <>
              {cut.before}
              <mark>{cut.words}</mark>
              {cut.after}
            </>
          )}
        </blockquote>
        {passage.where === '' ? null : <figcaption className="small muted">{passage.where}</figcaption>}
      </figure>
      <div className="rewrite__try">
        {cut === null || alternative === undefined ? null : (
          <p className="rewrite__preview" aria-live="polite">
            {cut.before}
            <strong>{fitted(cut, alternative)}</strong>
            {cut.after}
          </p>
        )}
        {alternatives.length === 0 ? null : (
          <div
            className="rewrite__choices"
            role="group"
            aria-label={`Instead of “${insteadOf === '' ? passage.quote : insteadOf}”`}
          >
            {alternatives.map((word, index) => (
              <button
                key={word}
                type="button"
                className="choice"
                aria-pressed={index === chosen}
                onClick={() => {
                  setChosen(index);
                }}
              >
                {word}
              </button>
            ))}
          </div>
        )}
      </div>
    </li>
  );
}

function VerbChips({ title, verbs }: { title: string; verbs: readonly VerbUse[] }) {
  if (verbs.length === 0) return null;
  return (
    <div className="verbs">
      <h3>{title}</h3>
      <ul className="chips">
        {verbs.map(({ verb, count }) => (
          <li key={verb} className="chip chip--plain">
            {verb}
            {count > 1 ? <span className="chip__aside numerals">×{count}</span> : null}
          </li>
        ))}
      </ul>
    </div>
  );
}
