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
import { messageIn } from './errors.js';
import { isFeedId } from './feed-id.js';
import { timings } from './timings.js';
import type { JobUpdate } from './types.js';
import { fieldsOf, numberOf, readUpdate, textOf } from './wire.js';

export type ConnectionState = 'closed' | 'connecting' | 'open' | 'down' | 'refused';

/** What a connection has to tell. */
export type News =
  /** `failures`: how many attempts have failed in a row. Told also when only they have grown. */
  | { readonly kind: 'state'; readonly state: ConnectionState; readonly failures: number }
  /** `resumed`: the feed goes on where we left it, nothing is missing. */
  | { readonly kind: 'open'; readonly resumed: boolean }
  | { readonly kind: 'update'; readonly update: JobUpdate }
  /** The feed has a gap and goes on from `id`: what was missed has to be asked for. */
  | { readonly kind: 'resync'; readonly id: string | null }
  /** The server says something went wrong. */
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  /** The server is about to stop, and with it everybody's connection. */
  | { readonly kind: 'draining' };

export interface ConnectionOwner {
  readonly userId: string;
  /** What to say who we are; asked for on every attempt. */
  readonly token_: () => Promise<string | null>;
  readonly canRenewToken_: () => boolean;
  readonly lastEventId_: () => string | null;
  readonly hear_: (news: News) => void;
}

const MAX_REFUSALS = 3;

export class Connection {
  state_: ConnectionState = 'closed';
  /** How many attempts have failed in a row. */
  failures_ = 0;
  /** Where the present connection resumed the feed. */
  resumedFrom_: string | null = null;

  readonly #owner: ConnectionOwner;
  #socket: Socket | null = null;
  #refusals = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #renewTimer: ReturnType<typeof setTimeout> | undefined;
  #tokenInUse: string | null = null;
  #isHeld = false;
  #isDraining = false;

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
  }

  open_(url: string): void {
    if (this.#socket !== null) return;
    const socket = io(url, {
      auth: (give) => void this.#introduce(socket, give),
      // A websocket needs no sticky sessions; long-polling gets through where websockets do not.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      forceNew: true,
      timeout: timings.connect_,
      autoConnect: false,
      reconnection: false,
    });
    this.#socket = socket;
    socket.on('connect', () => {
      this.failures_ = 0;
      this.#refusals = 0;
      this.#isDraining = false;
      this.#become('open');
      this.#owner.hear_({ kind: 'open', resumed: this.resumedFrom_ !== null });
    });
    socket.on('disconnect', (reason) => {
      // Our own doing: whoever did it goes on.
      if (reason === 'io client disconnect') return;
      this.#become('down');
      this.#retryLater();
    });
    socket.on('connect_error', (error) => this.#failed(error));
    socket.on('job:update', (payload: unknown) => {
      const update = readUpdate(payload);
      if (update !== null) this.#owner.hear_({ kind: 'update', update });
    });
    socket.on('resync', (payload: unknown) => {
      const { id } = fieldsOf(payload);
      this.#owner.hear_({ kind: 'resync', id: isFeedId(id) ? id : null });
    });
    socket.on('token:expiring', () => void this.#renewUntilNew());
    socket.on('server:draining', (payload: unknown) => this.#draining(payload));
    socket.on('error', (payload: unknown) => this.#complain(...refusalIn(payload)));
    this.#become('connecting');
    this.#connect();
  }

  close_(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#renewTimer);
    this.#socket?.removeAllListeners().disconnect();
    this.#socket = null;
    this.#become('closed');
  }

  /** Attempts are vain until `retryNow()`: make none. An open connection stays while it lasts. */
  hold_(): void {
    this.#isHeld = true;
    clearTimeout(this.#retryTimer);
  }

  /** Connect anew, and resume where `lastEventId()` says now. */
  reopen_(): void {
    if (this.state_ === 'closed' || this.state_ === 'refused') return;
    clearTimeout(this.#retryTimer);
    // Down first, so that the farewell is taken for ours.
    this.#become(this.state_ === 'open' ? 'down' : this.state_);
    this.#socket?.disconnect();
    this.#connect();
  }

  /** Circumstances have changed (a new token, the network is back): do not wait any longer. */
  retryNow_(): void {
    this.#isHeld = false;
    if (this.state_ === 'closed' || this.state_ === 'open') return;
    clearTimeout(this.#retryTimer);
    this.#refusals = 0;
    this.#socket?.disconnect();
    this.#connect();
    if (this.state_ === 'refused') this.#become('connecting');
  }

  /** Give an open connection a newer token, if there is one. Returns whether there is no more to do. */
  async renewToken_(): Promise<boolean> {
    const socket = this.#socket;
    if (this.state_ !== 'open') return true;
    const token = await this.#owner.token_().catch(() => null);
    if (!socket?.connected) return true;
    if (token === null || token === this.#tokenInUse) return false;
    this.#tokenInUse = token;
    socket.emit('auth:renew', { token });
    return true;
  }

  #connect(): void {
    if (!this.#isHeld) this.#socket?.connect();
  }

  /** Who hands out tokens may hold on to one until shortly before its end: ask again and again. */
  async #renewUntilNew(): Promise<void> {
    clearTimeout(this.#renewTimer);
    if ((await this.renewToken_()) || !this.#owner.canRenewToken_()) return;
    this.#renewTimer = setTimeout(() => void this.#renewUntilNew(), timings.renewAgain_);
  }

  async #introduce(socket: Socket, give: (auth: object) => void): Promise<void> {
    try {
      const token = await this.#owner.token_();
      this.#tokenInUse = token;
      this.resumedFrom_ = this.#owner.lastEventId_();
      give({
        userId: this.#owner.userId,
        ...(token === null ? {} : { token }),
        ...(this.resumedFrom_ === null ? {} : { lastEventId: this.resumedFrom_ }),
      });
    } catch (error) {
      this.#complain('token_unavailable', messageIn(error));
      if (socket !== this.#socket) return;
      socket.disconnect();
      this.#again();
    }
  }

  #failed(error: Error): void {
    // A socket that is still active was not let down by the server, which was not reached.
    if (!this.#socket?.active) {
      this.#refusals += 1;
      const [code, message] = refusalOf(error);
      const isAboutIdentity = /auth|token|identity|forbidden|origin/.test(code);
      if (isAboutIdentity && this.#refusals >= (this.#owner.canRenewToken_() ? MAX_REFUSALS : 1)) {
        this.#complain(code, message);
        this.#become('refused');
        return;
      }
    }
    this.#again();
  }

  /** An attempt has failed: make another. */
  #again(): void {
    this.failures_ += 1;
    this.#become(this.state_);
    this.#retryLater();
  }

  /** Move at some moment of the time that is left, rather than with everybody else at its end. */
  #draining(payload: unknown): void {
    const withinMs = numberOf(fieldsOf(payload)['withinMs']);
    this.#isDraining = true;
    this.#owner.hear_({ kind: 'draining' });
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.reopen_(), Math.random() * (withinMs ?? 0));
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    if (this.#isHeld) return;
    // Spread once is spread for good: who still finds nobody there need not wait as long again.
    const wait = this.#isDraining && this.failures_ <= 1 ? spread() : backoff(this.failures_);
    this.#retryTimer = setTimeout(() => this.#socket?.connect(), wait);
  }

  #complain(code: string, message: string): void {
    this.#owner.hear_({ kind: 'error', code, message });
  }

  /** Reports also when the state stays the same, since `failures` may have grown. */
  #become(state: ConnectionState): void {
    this.state_ = state;
    this.#owner.hear_({ kind: 'state', state, failures: this.failures_ });
  }
}

type Refusal = [code: string, message: string];

/** The gateway refuses with `{code, message}`, as the error's data or as JSON in its message. */
function refusalOf({ data, message }: Error & { data?: unknown }): Refusal {
  try {
    return refusalIn(data ?? JSON.parse(message));
  } catch {
    return ['refused', message];
  }
}

function refusalIn(payload: unknown): Refusal {
  const { code, message } = fieldsOf(payload);
  return [textOf(code) ?? 'unknown', textOf(message) ?? ''];
}
