import { isAfter } from './feed-id.js';
import type { JobUpdate } from './types.js';

const MAX_KEPT = 1_000;

/** The latest stretch of the feed, without a hole, for tabs that fell a little behind. */
export class RecentUpdates {
  #from: string | null = null;
  #at: string | null = null;
  #kept: JobUpdate[] = [];

  /** The last entry of the stretch: where a connection goes on. */
  get at_(): string | null {
    return this.#at;
  }

  /** Begin a new stretch after `id`. */
  startAfter_(id: string | null): void {
    this.#from = id;
    this.#at = id;
    this.#kept = [];
  }

  /** Returns false for an entry that the stretch has already passed. */
  add_(update: JobUpdate): boolean {
    if (!isAfter(update.id, this.#at)) return false;
    this.#at = update.id;
    this.#kept.push(update);
    if (this.#kept.length > MAX_KEPT) this.#from = this.#kept.shift()?.id ?? null;
    return true;
  }

  /** Everything after `id`, or null when the stretch begins later than that. */
  after_(id: string | null): JobUpdate[] | null {
    // Who has no place in the feed yet hears what happens from now on, and asks for the rest.
    if (id === null) return [];
    if (this.#from === null || isAfter(this.#from, id)) return null;
    return this.#kept.filter((update) => isAfter(update.id, id));
  }
}
