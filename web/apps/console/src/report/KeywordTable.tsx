import { CheckIcon } from '../shell/icons';
import { IMPORTANCE_NAMES, IMPORTANCES, type Keyword, type Keywords } from './model';

const percent = (share: number): string => `${Math.round(share * 100)}%`;

/** What the role's postings ask for: what is not there, and what is. */
export function KeywordTable({ keywords }: { keywords: Keywords }) {
  const { found, missing, other, note } = keywords;
  return (
    <>
      {note === '' ? null : <p className="section__lead">{note}</p>}
      <div className="keywords">
        <section className="keywords__column" aria-labelledby="keywords-missing">
          <h3 id="keywords-missing">
            Missing <span className="count numerals">{missing.length}</span>
          </h3>
          {missing.length === 0 ? (
            <p className="muted">Nothing that postings for this role ask for is missing.</p>
          ) : (
            IMPORTANCES.map((importance) => (
              <MissingGroup
                key={importance}
                title={IMPORTANCE_NAMES[importance]}
                words={missing.filter((word) => word.importance === importance)}
              />
            ))
          )}
        </section>
        <section className="keywords__column" aria-labelledby="keywords-found">
          <h3 id="keywords-found">
            Found <span className="count numerals">{found.length}</span>
          </h3>
          {found.length === 0 ? (
            <p className="muted">None of what postings for this role ask for was found.</p>
          ) : (
            <ul className="chips">
              {found.map((word) => (
                <FoundChip key={word.term} word={word} />
              ))}
            </ul>
          )}
          {other.length === 0 ? null : (
            <p className="small muted">Also found, though rarely asked for: {other.join(', ')}.</p>
          )}
        </section>
      </div>
    </>
  );
}

function MissingGroup({ title, words }: { title: string; words: readonly Keyword[] }) {
  if (words.length === 0) return null;
  return (
    <div className="keywords__group">
      <h4 className="eyebrow">{title}</h4>
      <ul className="chips">
        {words.map(({ term, demand, alsoWritten }) => (
          <li
            key={term}
            className="chip chip--missing"
            title={alsoWritten.length === 0 ? undefined : `Also written ${alsoWritten.join(', ')}`}
          >
            {term}
            {demand === null ? null : (
              <span className="chip__aside numerals">
                {percent(demand)}
                <span className="visually-hidden"> of postings ask for it</span>
              </span>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

function FoundChip({ word }: { word: Keyword }) {
  const passage = word.evidence[0];
  return (
    <li
      className="chip chip--found"
      title={passage === undefined ? undefined : `${passage.where}: ${passage.quote}`}
    >
      <CheckIcon size={14} />
      {word.term}
      {word.count > 1 ? (
        <span className="chip__aside numerals">
          ×{word.count}
          <span className="visually-hidden"> times</span>
        </span>
      ) : null}
    </li>
  );
}
