/**
 * Browser storage that may be forbidden, full or holding something else.
 *
 * What the page keeps there is a convenience, so reading falls back to `null` and writing tells by
 * its result whether the value was kept.
 */
export function readStored(area: () => Storage, key: string): string | null {
  try {
    return area().getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a value, or removes it for `null`. Returns whether the browser took it. */
export function writeStored(area: () => Storage, key: string, value: string | null): boolean {
  try {
    if (value === null) area().removeItem(key);
    else area().setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

/** Removes every value whose key begins with `prefix`. */
export function forgetStored(area: () => Storage, prefix: string): void {
  for (const key of storedKeys(area)) if (key.startsWith(prefix)) writeStored(area, key, null);
}

function storedKeys(area: () => Storage): readonly string[] {
  try {
    return Object.keys(area());
  } catch {
    return [];
  }
}

export const local = (): Storage => window.localStorage;
export const session = (): Storage => window.sessionStorage;
