/**
 * The socket, as the rest of the client needs it.
 *
 *            open()                  connect                 disconnect
 *   closed ─────────▶ connecting ──────────────▶ open ───────────────────▶ down
 *     ▲                 │    ▲                     ▲                        │ │
 *     │ close()         │    │ retryNow()          │ connect                │ │ refused
 *     └── (any)         │ refused                  └────────────────────────┘ │
 *                       ▼    │                                                │
 *                      refused ◀──────────────────────────────────────────────┘
 *
 * Lost connections come back after a random wait that grows with each failure; those of a server
 * that said it was about to stop spread over `timings.spread`. Refused ones come back a few times
 * with a token that can be renewed, with a fixed one only when somebody calls `retryNow()`. While
 * held, for want of a network, none does. Every attempt asks for the token and for the place to
 * resume anew.
 */

import { io, type Socket } from 'socket.io-client';

import { backoff, spread } from './backoff.js';
import { isFeedId } from './feed-id.js';
import { timings } from './timings.js';
import type { JobUpdate } from './types.js';
import { isFields, numberOf, readUpdate, textOf, type Fields } from './wire.js';

export type ConnectionState = 'closed' | 'connecting' | 'open' | 'down' | 'refused';

export interface ConnectionHandlers {
  /** What to say who we are; asked for on every attempt. */
  readonly token: () => Promise<string | null>;
  readonly canRenewToken: () => boolean;
  readonly lastEventId: () => string | null;
  readonly userId: string;
  readonly onState: (state: ConnectionState) => void;
  /** `resumed`: the feed goes on where we left it, nothing is missing. */
  readonly onOpen: (resumed: boolean) => void;
  readonly onUpdate: (update: JobUpdate) => void;
  /** The feed has a gap and goes on from `id`: what was missed has to be asked for. */
  readonly onResync: (id: string | null) => void;
  /** The server says something went wrong. */
  readonly onError: (code: string, message: string) => void;
  /** The server is about to stop, and with it everybody's connection. */
  readonly onDraining: () => void;
}

interface Refusal {
  readonly code: string;
  readonly message: string;
}

const MAX_REFUSALS = 3;

export class Connection {
  readonly #handlers: ConnectionHandlers;
  #socket: Socket | null = null;
  #state: ConnectionState = 'closed';
  #failures = 0;
  #refusals = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #renewTimer: ReturnType<typeof setTimeout> | undefined;
  #tokenInUse: string | null = null;
  #resumeFrom: string | null = null;
  #isHeld = false;
  #isDraining = false;

  constructor(handlers: ConnectionHandlers) {
    this.#handlers = handlers;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Where the present connection resumed the feed. */
  get resumedFrom(): string | null {
    return this.#resumeFrom;
  }

  /** How many attempts have failed in a row. */
  get failures(): number {
    return this.#failures;
  }

  open(url: string): void {
    if (this.#socket !== null) return;
    this.#failures = 0;
    this.#refusals = 0;
    const socket = io(url, {
      auth: (give) => void this.#introduce(socket, give),
      // A websocket needs no sticky sessions; long-polling gets through where websockets do not.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      forceNew: true,
      timeout: timings.connect,
      autoConnect: false,
      reconnection: false,
    });
    this.#socket = socket;
    socket.on('connect', () => this.#opened());
    socket.on('disconnect', (reason) => this.#lost(reason));
    socket.on('connect_error', (error) => this.#failed(error));
    socket.on('job:update', (payload: unknown) => this.#update(payload));
    socket.on('resync', (payload: unknown) => this.#handlers.onResync(resumeIdOf(payload)));
    socket.on('token:expiring', () => void this.#renewUntilNew());
    socket.on('server:draining', (payload: unknown) => this.#draining(payload));
    socket.on('error', (payload: unknown) => this.#complained(payload));
    if (!this.#isHeld) socket.connect();
    this.#become('connecting');
  }

  close(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#renewTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.removeAllListeners();
    socket?.disconnect();
    this.#isDraining = false;
    this.#become('closed');
  }

  /** Attempts are vain until `retryNow()`: make none. An open connection stays while it lasts. */
  hold(): void {
    this.#isHeld = true;
    clearTimeout(this.#retryTimer);
  }

  /** Connect anew, and resume where `lastEventId()` says now. */
  reopen(): void {
    const socket = this.#socket;
    if (socket === null || this.#state === 'refused') return;
    clearTimeout(this.#retryTimer);
    // Down first, so that the farewell is taken for ours.
    this.#become(this.#state === 'open' ? 'down' : this.#state);
    socket.disconnect();
    if (!this.#isHeld) socket.connect();
  }

  /** Circumstances have changed (a new token, the network is back): do not wait any longer. */
  retryNow(): void {
    this.#isHeld = false;
    if (this.#socket === null || this.#state === 'open') return;
    clearTimeout(this.#retryTimer);
    this.#refusals = 0;
    const wasRefused = this.#state === 'refused';
    this.#socket.disconnect().connect();
    if (wasRefused) this.#become('connecting');
  }

  /** Give an open connection a newer token, if there is one. Returns whether there is no more to do. */
  async renewToken(): Promise<boolean> {
    const socket = this.#socket;
    if (socket === null || this.#state !== 'open') return true;
    const token = await this.#handlers.token().catch(() => null);
    if (!socket.connected) return true;
    if (token === null || token === this.#tokenInUse) return false;
    this.#tokenInUse = token;
    socket.emit('auth:renew', { token });
    return true;
  }

  /** Who hands out tokens may hold on to one until shortly before its end: ask again and again. */
  async #renewUntilNew(): Promise<void> {
    clearTimeout(this.#renewTimer);
    if ((await this.renewToken()) || !this.#handlers.canRenewToken()) return;
    this.#renewTimer = setTimeout(() => void this.#renewUntilNew(), timings.renewAgain);
  }

  async #introduce(socket: Socket, give: (auth: object) => void): Promise<void> {
    let token: string | null;
    try {
      token = await this.#handlers.token();
    } catch (error) {
      this.#handlers.onError('token_unavailable', error instanceof Error ? error.message : String(error));
      if (socket !== this.#socket) return;
      this.#failures += 1;
      this.#refused({ code: 'token_unavailable', message: '' });
      return;
    }
    this.#tokenInUse = token;
    this.#resumeFrom = this.#handlers.lastEventId();
    give({
      userId: this.#handlers.userId,
      ...(token === null ? {} : { token }),
      ...(this.#resumeFrom === null ? {} : { lastEventId: this.#resumeFrom }),
    });
  }

  #opened(): void {
    this.#failures = 0;
    this.#refusals = 0;
    this.#isDraining = false;
    this.#become('open');
    this.#handlers.onOpen(this.#resumeFrom !== null);
  }

  #lost(reason: Socket.DisconnectReason): void {
    // Our own doing: whoever did it goes on.
    if (reason === 'io client disconnect') return;
    this.#become('down');
    this.#retryLater();
  }

  #failed(error: Error): void {
    this.#failures += 1;
    // A socket that is still active was not let down by the server, which was not reached.
    if (this.#socket?.active !== true) {
      this.#refused(refusalIn(error));
      return;
    }
    this.#become(this.#state);
    this.#retryLater();
  }

  /** Move at some moment of the time that is left, rather than with everybody else at its end. */
  #draining(payload: unknown): void {
    const withinMs = isFields(payload) ? numberOf(payload['withinMs']) : null;
    this.#isDraining = true;
    this.#handlers.onDraining();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.reopen(), Math.random() * (withinMs ?? 0));
  }

  #refused({ code, message }: Refusal): void {
    this.#refusals += 1;
    const isAboutIdentity = /auth|token|identity|forbidden|origin/.test(code) && code !== 'token_unavailable';
    const limit = this.#handlers.canRenewToken() ? MAX_REFUSALS : 1;
    if (isAboutIdentity && this.#refusals >= limit) {
      this.#handlers.onError(code, message);
      this.#become('refused');
      return;
    }
    if (code === 'token_unavailable') this.#socket?.disconnect();
    this.#become(this.#state);
    this.#retryLater();
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    if (this.#isHeld) return;
    const failures = Math.max(this.#failures, this.#refusals);
    // Spread once is spread for good: who still finds nobody there need not wait as long again.
    const wait = this.#isDraining && failures <= 1 ? spread() : backoff(failures);
    this.#retryTimer = setTimeout(() => this.#socket?.connect(), wait);
  }

  #update(payload: unknown): void {
    const update = readUpdate(payload);
    if (update !== null) this.#handlers.onUpdate(update);
  }

  #complained(payload: unknown): void {
    const { code, message } = refusalOf(payload);
    this.#handlers.onError(code, message);
  }

  /** Reports also when the state stays the same, since `failures` may have grown. */
  #become(state: ConnectionState): void {
    this.#state = state;
    this.#handlers.onState(state);
  }
}

/** The gateway refuses with `{code, message}`, as the error's data or as JSON in its message. */
function refusalIn(error: Error & { data?: unknown }): Refusal {
  if (isFields(error.data)) return refusalOf(error.data);
  try {
    return refusalOf(JSON.parse(error.message));
  } catch {
    return { code: 'refused', message: error.message };
  }
}

function refusalOf(payload: unknown): Refusal {
  const fields: Fields = isFields(payload) ? payload : {};
  return { code: textOf(fields['code']) ?? 'unknown', message: textOf(fields['message']) ?? '' };
}

function resumeIdOf(payload: unknown): string | null {
  const id = isFields(payload) ? payload['id'] : null;
  return isFeedId(id) ? id : null;
}
