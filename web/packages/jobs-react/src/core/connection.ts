/**
 * The socket, as the rest of the client needs it.
 *
 *            start()                 connect                 disconnect
 *   closed ─────────▶ connecting ──────────────▶ open ───────────────────▶ down
 *     ▲                 │    ▲                     ▲                        │ │
 *     │ stop()          │    │ retryNow()          │ connect                │ │ refused
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

import type { Socket } from 'socket.io-client';

import { backoff, spread } from './backoff.js';
import { messageIn } from './errors.js';
import { feedIdOf } from './feed-id.js';
import { createTimer } from './timer.js';
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

export type Connection = ReturnType<typeof createConnection>;

export function createConnection(owner: ConnectionOwner) {
  let state: ConnectionState = 'closed';
  let failures = 0;
  let resumedFrom: string | null = null;
  let url = '';
  let socket: Socket | undefined;
  let refusals = 0;
  let tokenInUse: string | null = null;
  let isHeld = false;
  let isDraining = false;
  /** Runs while a connection is down, for another attempt, or open, when its server will stop. */
  const retry = createTimer(() => (state === 'open' ? reopen_() : void connect()));
  const renewal = createTimer(() => void renewToken_(true));

  function start_(to: string): void {
    url = to;
    become('connecting');
    void connect();
  }

  function stop_(): void {
    retry.stop_();
    renewal.stop_();
    socket?.removeAllListeners().disconnect();
    become('closed');
  }

  /** Attempts are vain until `retryNow()`: make none. An open connection stays while it lasts. */
  function hold_(): void {
    isHeld = true;
    retry.stop_();
  }

  /** Connect anew, and resume where `lastEventId()` says now. */
  function reopen_(): void {
    if (state === 'closed' || state === 'refused') return;
    // Down first, so that the farewell is taken for ours.
    become(state === 'open' ? 'down' : state);
    reconnect();
  }

  /** Circumstances have changed (a new token, the network is back): do not wait any longer. */
  function retryNow_(): void {
    isHeld = false;
    if (state === 'closed' || state === 'open') return;
    refusals = 0;
    reconnect();
    if (state === 'refused') become('connecting');
  }

  /** Give an open connection a newer token, if there is one. `isEnding`: else, ask again until there is. */
  async function renewToken_(isEnding = false): Promise<void> {
    if (state !== 'open') return;
    // Who hands out tokens may hold on to one until shortly before its end.
    const token = await owner.token_().catch(() => null);
    if (!socket?.connected) return;
    if (token !== null && token !== tokenInUse) {
      tokenInUse = token;
      socket.emit('auth:renew', { token });
    } else if (isEnding && owner.canRenewToken_()) {
      renewal.restart_(timings.renewAgain_);
    }
  }

  function reconnect(): void {
    retry.stop_();
    socket?.disconnect();
    void connect();
  }

  async function connect(): Promise<void> {
    if (isHeld) return;
    try {
      // When it is first needed: a server never needs it, nor does a tab that shares another's connection.
      const { io } = await import('socket.io-client');
      if (isHeld || state === 'closed') return;
      socket ??= attend(
        io(url, {
          auth: (give) => void introduce(give),
          // A websocket needs no sticky sessions; long-polling gets through where websockets do not.
          transports: ['websocket', 'polling'],
          tryAllTransports: true,
          forceNew: true,
          timeout: timings.connect_,
          autoConnect: false,
          reconnection: false,
        }),
      );
      socket.connect();
    } catch (error) {
      // No network, or a newer version of the application has taken the file away.
      complain('code_unavailable', messageIn(error));
      again();
    }
  }

  function attend(to: Socket): Socket {
    to.on('connect', () => {
      failures = 0;
      refusals = 0;
      isDraining = false;
      become('open');
      owner.hear_({ kind: 'open', resumed: resumedFrom !== null });
    });
    to.on('disconnect', (reason) => {
      // Our own doing: whoever did it goes on.
      if (reason === 'io client disconnect') return;
      become('down');
      retryLater();
    });
    to.on('connect_error', failed);
    to.on('job:update', (payload) => {
      const update = readUpdate(payload);
      if (update) owner.hear_({ kind: 'update', update });
    });
    to.on('resync', (payload) => owner.hear_({ kind: 'resync', id: feedIdOf(fieldsOf(payload)['id']) }));
    to.on('token:expiring', () => void renewToken_(true));
    to.on('server:draining', (payload) => {
      isDraining = true;
      owner.hear_({ kind: 'draining' });
      // At some moment of the time that is left, rather than with everybody else at its end.
      retry.restart_(Math.random() * (numberOf(fieldsOf(payload)['withinMs']) ?? 0));
    });
    to.on('error', (payload) => complain(...refusalIn(payload)));
    return to;
  }

  async function introduce(give: (auth: object) => void): Promise<void> {
    try {
      tokenInUse = await owner.token_();
      resumedFrom = owner.lastEventId_();
      give({ userId: owner.userId, token: tokenInUse ?? undefined, lastEventId: resumedFrom ?? undefined });
    } catch (error) {
      complain('token_unavailable', messageIn(error));
      if (state === 'closed') return;
      socket?.disconnect();
      again();
    }
  }

  function failed({ data, message: reason }: Error & { data?: unknown }): void {
    // A socket that is still active was not let down by the server, which was not reached.
    if (!socket?.active) {
      refusals += 1;
      const [code, message] = refusalIn(data ?? { message: reason });
      const isAboutIdentity = /auth|token|identity|forbidden|origin/.test(code);
      if (isAboutIdentity && refusals >= (owner.canRenewToken_() ? MAX_REFUSALS : 1)) {
        complain(code, message);
        become('refused');
        return;
      }
    }
    again();
  }

  /** An attempt has failed: make another. */
  function again(): void {
    failures += 1;
    become(state);
    retryLater();
  }

  function retryLater(): void {
    // Spread once is spread for good: who still finds nobody there need not wait as long again.
    if (!isHeld) retry.restart_(isDraining && failures <= 1 ? spread() : backoff(failures));
  }

  function complain(code: string, message: string): void {
    owner.hear_({ kind: 'error', code, message });
  }

  /** Reports also when the state stays the same, since `failures` may have grown. */
  function become(now: ConnectionState): void {
    state = now;
    owner.hear_({ kind: 'state', state, failures });
  }

  return {
    get state_() {
      return state;
    },
    /** How many attempts have failed in a row. */
    get failures_() {
      return failures;
    },
    /** Where the present connection resumed the feed. */
    get resumedFrom_() {
      return resumedFrom;
    },
    start_,
    stop_,
    hold_,
    reopen_,
    retryNow_,
    renewToken_,
  };
}

type Refusal = [code: string, message: string];

function refusalIn(payload: unknown): Refusal {
  const { code, message } = fieldsOf(payload);
  return [textOf(code) ?? 'unknown', textOf(message) ?? ''];
}
