import { fieldsOf } from './fields';
import { local, readStored, session, writeStored } from './storage';

/** Who the page speaks for. There is no token in development, where the user id is enough. */
export interface Identity {
  readonly userId: string;
  readonly authToken: string | null;
}

const USER_KEY = 'careerlens:console:user';
const TOKEN_KEY = 'careerlens:console:token';

/** `crypto.randomUUID` exists on secure origins only; this is for wherever a developer opens it. */
function randomSuffix(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A user id of this browser's own, made once and remembered. Only a development server accepts it. */
export function developmentIdentity(): Identity {
  const known = readStored(local, USER_KEY);
  const userId = known ?? `guest-${randomSuffix()}`;
  if (known === null) writeStored(local, USER_KEY, userId);
  return { userId, authToken: null };
}

/** What is wrong with a pasted token, in words for the person who pasted it. */
export class TokenProblem extends Error {}

interface Claims {
  readonly userId: string;
  readonly expiresAtMs: number | null;
}

function base64UrlDecode(part: string): string {
  const base64 = part.replace(/-/g, '+').replace(/_/g, '/');
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

/**
 * The user named by a token, read without checking its signature: the server does that.
 *
 * It only keeps one user's remembered jobs apart from another's in this browser.
 */
export function readClaims(token: string): Claims {
  const parts = token.split('.');
  if (parts.length !== 3) {
    throw new TokenProblem('That is not a token: expected three parts joined by dots.');
  }
  let claims: unknown;
  try {
    claims = JSON.parse(base64UrlDecode(parts[1] ?? ''));
  } catch {
    throw new TokenProblem('That token cannot be read. Was all of it copied?');
  }
  if (typeof claims !== 'object' || claims === null) {
    throw new TokenProblem('That token cannot be read. Was all of it copied?');
  }
  const record = claims as Record<string, unknown>;
  const userId = [record['userId'], record['sub']].find(
    (value): value is string => typeof value === 'string' && value !== '',
  );
  if (userId === undefined) throw new TokenProblem('That token names no user.');
  const expires = record['exp'];
  return { userId, expiresAtMs: typeof expires === 'number' ? expires * 1000 : null };
}

/** The identity a pasted token stands for. Raises `TokenProblem` when it is unreadable or over. */
export function identityFromToken(pasted: string, nowMs: number): Identity {
  const authToken = pasted.trim().replace(/^Bearer\s+/i, '');
  if (authToken === '') throw new TokenProblem('Paste a token first.');
  const { userId, expiresAtMs } = readClaims(authToken);
  if (expiresAtMs !== null && expiresAtMs <= nowMs) {
    throw new TokenProblem('That token has expired. Ask for a new one.');
  }
  return { userId, authToken };
}

/** The identity kept for this tab, if it is still good. */
export function rememberedIdentity(nowMs: number): Identity | null {
  const token = readStored(session, TOKEN_KEY);
  if (token === null) return null;
  try {
    return identityFromToken(token, nowMs);
  } catch (problem) {
    if (!(problem instanceof TokenProblem)) throw problem;
    writeStored(session, TOKEN_KEY, null);
    return null;
  }
}

const FAREWELL_KEY = 'careerlens:console:farewell';

/** How the last session of this tab ended. `reason` is for the reader, `userId` for tidying up. */
export interface Farewell {
  readonly userId: string;
  readonly reason: string | null;
  /** Whether the reader asked to leave, so that nothing of theirs may stay in this browser. */
  readonly isFinal: boolean;
}

/**
 * Ends the session by loading the page afresh, so that nothing of it stays in memory for whoever
 * signs in next. The page that is left still saves its jobs while it goes: tidying up is for the
 * next one, by `takeFarewell`.
 */
export function leave(farewell: Farewell): void {
  rememberToken(null);
  writeStored(session, FAREWELL_KEY, JSON.stringify(farewell));
  window.location.reload();
}

/** How the last session ended, told once. */
export function takeFarewell(): Farewell | null {
  const text = readStored(session, FAREWELL_KEY);
  if (text === null) return null;
  writeStored(session, FAREWELL_KEY, null);
  return readFarewell(text);
}

function readFarewell(text: string): Farewell | null {
  try {
    const { userId, reason, isFinal } = fieldsOf(JSON.parse(text));
    if (typeof userId !== 'string') return null;
    return { userId, reason: typeof reason === 'string' ? reason : null, isFinal: isFinal === true };
  } catch {
    return null;
  }
}

/** Keeps a token until the tab closes, or forgets it for `null`. */
export function rememberToken(token: string | null): void {
  writeStored(session, TOKEN_KEY, token);
}
