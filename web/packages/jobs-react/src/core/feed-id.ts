/** Ids of feed entries read `ms-seq`: two whole numbers below 2^64, too large for a `number`. */

const FEED_ID = /^\d{1,20}-\d{1,20}$/;

/** `value`, if it is such an id; else null. */
export function feedIdOf(value: unknown): string | null {
  return typeof value === 'string' && FEED_ID.test(value) ? value : null;
}

/** Whether the entry `id` came after the entry `other`; anything comes after none. */
export function isAfter(id: string, other: string | null): boolean {
  return other === null || sortable(id) > sortable(other);
}

/** Texts of numbers sort as the numbers do once they are of one length. */
function sortable(id: string): string {
  return id.replace(/\d+/g, (number) => number.padStart(20, '0'));
}
