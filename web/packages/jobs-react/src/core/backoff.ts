import { timings } from './timings.js';

/**
 * How long to wait after `failures` attempts in a row, in milliseconds: anything up to a limit
 * that doubles ("full jitter"), so that thousands of clients which one restart has cut off do not
 * come back in waves.
 */
export function backoff(failures: number): number {
  return Math.random() * Math.min(timings.reconnectMax_, timings.reconnectMin_ * 2 ** failures);
}

/** Anything within the time over which clients spread that were all told to go at once. */
export function spread(): number {
  return Math.random() * timings.spread_;
}

/** `wait`, a little more or less, so that clients which began together drift apart. */
export function jittered(wait: number): number {
  return wait * (0.85 + Math.random() * 0.3);
}
