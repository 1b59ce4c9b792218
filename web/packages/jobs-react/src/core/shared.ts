/**
 * The one of its kind that this page has for `key`, made when it is first asked for, so that
 * everybody shares its connection. A server renders for many users at once, and never connects:
 * nothing to share, or to leak.
 */
export function shared<T>(kept: Map<string, T>, key: readonly unknown[], make: (forget: () => void) => T): T {
  const name = JSON.stringify(key);
  const forget = (): void => void kept.delete(name);
  const found = kept.get(name) ?? make(forget);
  if (typeof window !== 'undefined') kept.set(name, found);
  return found;
}
