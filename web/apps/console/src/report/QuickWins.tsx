import { useState } from 'react';

import { forgetStored, local, readStored, writeStored } from '../shell/storage';
import type { QuickWin } from './model';

const PREFIX = 'careerlens:console:wins:';
const keyOf = (jobId: string): string => `${PREFIX}${jobId}`;

/** Forgets what was ticked off in all reports. */
export function forgetWins(): void {
  forgetStored(local, PREFIX);
}

function readDone(jobId: string): ReadonlySet<string> {
  const text = readStored(local, keyOf(jobId));
  return new Set(text === null ? [] : text.split('\n'));
}

function describeWorth({ points, minutes }: QuickWin): string {
  const parts = [];
  if (points !== null && points > 0) {
    parts.push(`+${Math.round(points * 10) / 10} ${points === 1 ? 'point' : 'points'}`);
  }
  if (minutes !== null && minutes > 0) parts.push(`${minutes} min`);
  return parts.join(', ');
}

/** Small changes with much effect, to tick off. The ticks stay in this browser. */
export function QuickWins({ jobId, wins }: { jobId: string; wins: readonly QuickWin[] }) {
  const [done, setDone] = useState(() => readDone(jobId));
  const toggle = (action: string) => {
    const next = new Set(done);
    if (!next.delete(action)) next.add(action);
    setDone(next);
    writeStored(local, keyOf(jobId), next.size === 0 ? null : [...next].join('\n'));
  };
  const count = wins.filter(({ action }) => done.has(action)).length;
  return (
    <fieldset className="wins">
      <legend className="visually-hidden">Quick wins to tick off</legend>
      <ul>
        {wins.map((win) => (
          <li key={win.action}>
            <label className="wins__item">
              <input
                type="checkbox"
                checked={done.has(win.action)}
                onChange={() => {
                  toggle(win.action);
                }}
              />
              <span className="wins__text">
                <span className="wins__action">{win.action}</span>
                {win.why === '' ? null : <span className="small muted">{win.why}</span>}
              </span>
              <span className="wins__worth small muted numerals">{describeWorth(win)}</span>
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
