import { CheckIcon } from "../shell/icons";
import type { Keyword, Keywords } from "./model";

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** What the role's advertisements ask for: what is there, and what is not. */
export function KeywordTable({ keywords }: { keywords: Keywords }) {
  const { found, missing, note } = keywords;
  return (
    <>
      {note === "" ? null : <p className="section__lead">{note}</p>}
      <div className="keywords">
        <KeywordColumn title="Missing" words={missing} kind="missing">
          Every keyword we look for is there.
        </KeywordColumn>
        <KeywordColumn title="Found" words={found} kind="found">
          None of the keywords we look for is there yet.
        </KeywordColumn>
      </div>
    </>
  );
}

function KeywordColumn(props: {
  title: string;
  words: readonly Keyword[];
  kind: "found" | "missing";
  children: string;
}) {
  const { title, words, kind } = props;
  return (
    <section className="keywords__column">
      <h3>
        {title} <span className="count numerals">{words.length}</span>
      </h3>
      {words.length === 0 ? (
        <p className="muted">{props.children}</p>
      ) : (
        <ul className="chips">
          {words.map((word) => (
            <li key={word.term} className={`chip chip--${kind}`} title={word.passage ?? undefined}>
              {kind === "found" ? <CheckIcon size={14} /> : null}
              {word.term}
              {kind === "found" && word.count > 1 ? (
                <span className="chip__aside numerals">
                  ×{word.count}
                  <span className="visually-hidden"> times</span>
                </span>
              ) : null}
              {kind === "missing" && word.demand !== null ? (
                <span className="chip__aside numerals">
                  {percent(word.demand)}
                  <span className="visually-hidden"> of advertisements ask for it</span>
                </span>
              ) : null}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
