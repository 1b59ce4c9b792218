import type { QueuePlace } from './types.js';

const SUFFIXES = ['th', 'st', 'nd', 'rd'];

/** A place in line in English: `3rd in line, about 40 s`. */
export function placeInWords({ position, estimatedWaitMs }: QueuePlace): string {
  const place = `${ordinal(position)} in line`;
  return estimatedWaitMs === null ? place : `${place}, about ${waitInWords(estimatedWaitMs)}`;
}

/** `Next`, `2nd`, `1,003rd`. */
export function ordinal(position: number): string {
  if (position === 1) return 'Next';
  const isTeen = /1\d$/.test(`${position}`);
  return `${position.toLocaleString('en')}${(!isTeen && SUFFIXES[position % 10]) || 'th'}`;
}

/** `40 s`, `12 min`, `3 h`. Rounded up, and the more roughly the longer: an estimate is not to look like a promise. */
export function waitInWords(waitMs: number): string {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
  if (seconds <= 10) return `${seconds} s`;
  if (seconds <= 55) return `${Math.ceil(seconds / 5) * 5} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 90 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}
