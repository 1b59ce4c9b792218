import { isAfter } from './feed-id.js';
import type { JobUpdate } from './types.js';

const MAX_KEPT = 1_000;

/** The latest stretch of the feed, without a hole, for tabs that fell a little behind. */
export function recentUpdates() {
  let from: string | null = null;
  let kept: JobUpdate[] = [];
  /** The last entry of the stretch: where a connection goes on. */
  const at_ = (): string | null => kept.at(-1)?.id ?? from;

  return {
    at_,

    /** Begin a new stretch after `id`. */
    startAfter_(id: string | null): void {
      from = id;
      kept = [];
    },

    /** Returns false for an entry that the stretch has already passed. */
    add_(update: JobUpdate): boolean {
      if (!isAfter(update.id, at_())) return false;
      kept.push(update);
      if (kept.length > MAX_KEPT) from = kept.shift()?.id ?? null;
      return true;
    },

    /** Everything after `id`, or null when the stretch begins later than that. */
    after_(id: string | null): JobUpdate[] | null {
      // Who has no place in the feed yet hears what happens from now on, and asks for the rest.
      if (id === null) return [];
      if (from === null || isAfter(from, id)) return null;
      return kept.filter((update) => isAfter(update.id, id));
    },
  };
}
