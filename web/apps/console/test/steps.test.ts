import { describe, expect, it } from 'vitest';

import { withProgress, type StepLog } from '../src/progress/steps';

const report = (percent: number, step: string, message = step) => ({ percent, step, message });

function logOf(...reports: readonly ReturnType<typeof report>[]): StepLog {
  return reports.reduce<StepLog>((log, progress, index) => withProgress(log, progress, index), []);
}

const keys = (log: StepLog) => log.map(({ key }) => key);

describe("the log of a job's steps", () => {
  it('holds each step once, in order, with the time it began', () => {
    const log = logOf(report(10, 'read'), report(20, 'read', 'Page 2'), report(40, 'score'));
    expect(log).toEqual([
      { key: 'read', message: 'Page 2', percent: 20, sinceMs: 0 },
      { key: 'score', message: 'score', percent: 40, sinceMs: 2 },
    ]);
  });

  it('is left alone by the replay of a step already passed', () => {
    const log = logOf(report(10, 'read'), report(40, 'sections'), report(60, 'score'));
    expect(withProgress(log, report(40, 'sections'), 9)).toBe(log);
    expect(withProgress(log, report(60, 'score'), 9)).toBe(log);
  });

  it('begins again when the first step comes once more, as in another attempt', () => {
    const log = logOf(report(10, 'read'), report(40, 'sections'), report(10, 'read'), report(40, 'sections'));
    expect(keys(log)).toEqual(['read', 'sections']);
    expect(log[0]?.sinceMs).toBe(2);
  });

  it('begins again when another attempt takes another way', () => {
    expect(keys(logOf(report(10, 'read'), report(60, 'score'), report(20, 'ask')))).toEqual(['ask']);
  });

  it('names a step by its message when it has no name', () => {
    expect(withProgress([], { percent: 5, message: 'Reading' }, 1)[0]?.key).toBe('Reading');
    expect(withProgress([], { percent: 5, message: '' }, 1)).toEqual([]);
  });
});
