/** Ids of feed entries read `ms-seq`: two whole numbers below 2^64, too large for a `number`. */

const FEED_ID = /^\d{1,20}-\d{1,20}$/;

export function isFeedId(value: unknown): value is string {
  return typeof value === 'string' && FEED_ID.test(value);
}

/** Whether the entry `id` came after the entry `other`; anything comes after none. */
export function isAfter(id: string, other: string | null): boolean {
  if (other === null) return true;
  const [ms = '', seq = ''] = id.split('-');
  const [otherMs = '', otherSeq = ''] = other.split('-');
  return (compare(ms, otherMs) || compare(seq, otherSeq)) > 0;
}

/** Order of two decimal numbers without leading zeros. */
function compare(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a > b ? 1 : -1;
}
