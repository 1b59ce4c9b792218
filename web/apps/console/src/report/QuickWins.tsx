import { useState } from "react";

import { local, readStored, writeStored } from "../shell/storage";

const keyOf = (jobId: string): string => `careerlens:console:wins:${jobId}`;

function readDone(jobId: string): ReadonlySet<string> {
  const text = readStored(local, keyOf(jobId));
  return new Set(text === null ? [] : text.split("\n"));
}

/** Small changes with much effect, to tick off. The ticks stay in this browser. */
export function QuickWins({ jobId, wins }: { jobId: string; wins: readonly string[] }) {
  const [done, setDone] = useState(() => readDone(jobId));
  const toggle = (win: string) => {
    const next = new Set(done);
    if (!next.delete(win)) next.add(win);
    setDone(next);
    writeStored(local, keyOf(jobId), next.size === 0 ? null : [...next].join("\n"));
  };
  const count = wins.filter((win) => done.has(win)).length;
  return (
    <fieldset className="wins">
      <legend className="visually-hidden">Quick wins</legend>
      <ul>
        {wins.map((win, index) => (
          <li key={win}>
            <label className="wins__item">
              <input
                type="checkbox"
                checked={done.has(win)}
                onChange={() => {
                  toggle(win);
                }}
              />
              <span className="wins__number numerals" aria-hidden="true">
                {index + 1}
              </span>
              <span className="wins__text">{win}</span>
            </label>
          </li>
        ))}
      </ul>
      <p className="small muted numerals" aria-live="polite">
        {count} of {wins.length} done
      </p>
    </fieldset>
  );
}
