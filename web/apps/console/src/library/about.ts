import { local, readStored, writeStored } from '../shell/storage';

/** What this browser remembers of a job it created; the server's status does not repeat the input. */
export interface About {
  readonly targetRole: string;
  readonly sourceName: string;
}

const MOST = 200;

const keyOf = (userId: string): string => `careerlens:console:about:${userId}`;

function isAbout(value: unknown): value is About {
  if (typeof value !== 'object' || value === null) return false;
  const { targetRole, sourceName } = value as Record<string, unknown>;
  return typeof targetRole === 'string' && typeof sourceName === 'string';
}

function readAll(userId: string): Map<string, About> {
  const text = readStored(local, keyOf(userId));
  if (text === null) return new Map();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return new Map();
    return new Map(Object.entries(value).filter((entry): entry is [string, About] => isAbout(entry[1])));
  } catch {
    return new Map();
  }
}

/** What is remembered of a job, or `null` for one made elsewhere. */
export function aboutJob(userId: string, jobId: string): About | null {
  return readAll(userId).get(jobId) ?? null;
}

/** Remembers a new job, and drops the oldest ones beyond a bound. */
export function rememberAbout(userId: string, jobId: string, about: About): void {
  const kept = [...readAll(userId), [jobId, about] as const].slice(-MOST);
  writeStored(local, keyOf(userId), JSON.stringify(Object.fromEntries(kept)));
}

/** Forgets all that is remembered of a user's jobs. */
export function forgetAbout(userId: string): void {
  writeStored(local, keyOf(userId), null);
}
