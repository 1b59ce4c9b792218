import type { QueuePlace } from './types.js';

const ORDINALS = new Intl.PluralRules('en', { type: 'ordinal' });
const SUFFIXES: Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> = { one: 'st', two: 'nd', few: 'rd' };

/** A place in line in English: `3rd in line, about 40 s`. */
export function placeInWords({ position, estimatedWaitMs }: QueuePlace): string {
  const place = `${ordinal(position)} in line`;
  return estimatedWaitMs === null ? place : `${place}, about ${waitInWords(estimatedWaitMs)}`;
}

/** `Next`, `2nd`, `1,003rd`. */
export function ordinal(position: number): string {
  if (position === 1) return 'Next';
  return `${position.toLocaleString('en')}${SUFFIXES[ORDINALS.select(position)] ?? 'th'}`;
}

/** `40 s`, `12 min`, `3 h`. Rounded up, and the more roughly the longer: an estimate is not to look like a promise. */
export function waitInWords(waitMs: number): string {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
  if (seconds <= 10) return `${seconds} s`;
  if (seconds <= 55) return `${Math.ceil(seconds / 5) * 5} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 90 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}
