/**
 * The connection as a tab has it: its own, or another tab's.
 *
 *              lock granted                 closed, stolen from
 *   follower ───────────────▶ leader ──────────────────────────▶ follower
 *      │  ▲
 *      └──┘ silence: take the lock by force
 *
 * Tabs of one group (see `tab-group.ts`) compete for a lock. Its holder connects and passes on all
 * it hears; the others greet it with their place in the feed, are given what they missed, and
 * follow. When the leader's tab goes, the browser gives the lock to the next; when it falls silent,
 * since its tab is frozen, a follower takes it. The new leader resumes the feed at its own place,
 * or at an older one when a follower greets it with that, so that nobody misses an entry; what
 * somebody hears twice, their book drops by its id.
 *
 * A follower that notices a hole in the leader's numbering greets it anew. Without locks, or where
 * no token can be had to tell the group by, each tab connects by itself.
 */

import { createConnection, type Connection, type ConnectionOwner, type ConnectionState, type News } from './connection.js';
import { isAfter } from './feed-id.js';
import { recentUpdates } from './recent-updates.js';
import { nameOfGroup } from './tab-group.js';
import { createTimer } from './timer.js';
import { timings } from './timings.js';
import type { JobUpdate } from './types.js';

/** What the leader says: the news it hears, and more. `turn` counts its words. */
type FromLeader = { readonly leader: string; readonly turn: number } & Word;

type Word =
  /** `upTo`, of a `resync`: only for those whose place is no later than that. */
  | (News & { readonly upTo?: string })
  | { readonly kind: 'alive' }
  | {
      readonly kind: 'welcome';
      readonly to: string;
      readonly state: ConnectionState;
      readonly failures: number;
      readonly updates: readonly JobUpdate[];
    };

type FromFollower =
  | { readonly kind: 'hello'; readonly from: string; readonly at: string | null }
  | { readonly kind: 'ping' }
  | { readonly kind: 'retry' };

type Message = FromLeader | FromFollower;

export type Line = ReturnType<typeof createLine>;

export function createLine(owner: ConnectionOwner) {
  let state: ConnectionState = 'closed';
  const recent = recentUpdates();
  const id = `${Math.random()}`;
  /** Where to connect to; empty while closed. */
  let url = '';
  let group: string | null = null;
  let channel: BroadcastChannel | null = null;
  let connection: Connection | null = null;
  let isHeld = false;

  // Of a follower:
  let leader: string | null = null;
  /** The leader's last turn we heard; null while we are not in step with it. */
  let turn: number | null = null;
  let greetedAt: string | null = null;
  let watchedSince = 0;
  const watch = createTimer(lookForLeader);
  let isAnswered = true;

  // Of a leader, and of who would become one:
  let turns = 0;
  let contest: AbortController | null = null;
  let release: (() => void) | null = null;

  function start_(to: string): void {
    if (!url) void join((url = to));
  }

  function stop_(): void {
    url = '';
    leave();
    become('closed');
  }

  /** Make no attempts until `retryNow()`. */
  function hold_(): void {
    isHeld = true;
    connection?.hold_();
  }

  /** Circumstances have changed: whoever connects should not wait any longer. */
  function retryNow_(): void {
    isHeld = false;
    if (connection) {
      connection.retryNow_();
    } else if (channel) {
      if (!contest) void compete();
      post({ kind: 'retry' });
      greet();
    }
  }

  /** There may be another token: take it to the open connection, or to the group that it belongs to. */
  async function tokenChanged_(): Promise<void> {
    const to = url;
    if (!to) return;
    const other = channel && (await nameGroup());
    if (to !== url) return;
    if (other !== group) {
      leave();
      await join(url);
    } else await connection?.renewToken_();
  }

  async function join(to: string): Promise<void> {
    become('connecting');
    const ours = await nameGroup();
    if (to !== url || channel || connection) return;
    group = ours;
    if (!group) return lead();
    channel = new BroadcastChannel(group);
    channel.onmessage = ({ data }: MessageEvent<Message>) => heard(data);
    // In line first: a leader whose token is refused gives way when somebody waits.
    void compete();
    greet();
    watchLeader();
  }

  function leave(): void {
    watch.stop_();
    standBack();
    channel?.close();
    channel = group = leader = null;
  }

  async function nameGroup(): Promise<string | null> {
    try {
      // Browsers of today have locks on secure origins only.
      return navigator.locks ? await nameOfGroup(url, owner.userId, await owner.token_()) : null;
    } catch {
      // If it is for the token, the connection asks again, and says what is wrong.
      return null;
    }
  }

  // --- who leads -------------------------------------------------------------------------------

  /** Stand in line for the lock, or take it from whoever has it. Resolves when that is over. */
  async function compete(byForce = false): Promise<void> {
    if (!group) return;
    contest?.abort();
    const { signal } = (contest = new AbortController());
    try {
      // A lock taken by force is granted at once: there is no standing in line to be given up.
      await navigator.locks.request(group, byForce ? { steal: true } : { signal }, () => {
        if (signal.aborted) return undefined;
        return new Promise<void>((resolve) => {
          release = resolve;
          lead();
        });
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof DOMException && error.name === 'AbortError')) throw error;
      // We were silent for so long that another tab has taken over.
      stepDown();
      greet();
      watchLeader();
      void compete();
    }
  }

  function lead(): void {
    if (!url) return;
    watch.stop_();
    leader = id;
    recent.startAfter_(owner.lastEventId_());
    connection = createConnection({ ...owner, lastEventId_: recent.at_, hear_: pass });
    if (isHeld) connection.hold_();
    connection.start_(url);
  }

  /** No longer connect for others. */
  function stepDown(): void {
    const given = connection;
    connection = null;
    given?.stop_();
    release?.();
    release = null;
  }

  /** Neither lead nor wait for it. */
  function standBack(): void {
    contest?.abort();
    contest = null;
    stepDown();
    turn = null;
  }

  /** Pass on what our connection tells. */
  function pass(news: News): void {
    // The farewell of a connection that has been given up is nobody's news.
    if (!connection) return;
    if (news.kind === 'update' && !recent.add_(news.update)) return;
    if (news.kind === 'resync') {
      const asked = connection.resumedFrom_;
      const own = owner.lastEventId_();
      if (asked && own && isAfter(own, asked)) {
        // A tab that slept for too long asked for what is gone; the others go on where they were.
        say({ ...news, upTo: asked });
        recent.startAfter_(own);
        return connection.reopen_();
      }
      recent.startAfter_(news.id);
    }
    say(news);
    tell(news);
    void giveOthersATry();
  }

  /** When our token is not taken, another tab's may be: let it lead, and stand back until ours changes. */
  async function giveOthersATry(): Promise<void> {
    if (!group || connection?.state_ !== 'refused') return;
    const { pending = [] } = await navigator.locks.query();
    if (connection?.state_ === 'refused' && pending.some(({ name }) => name === group)) standBack();
  }

  /** Bring a follower up to date whose place in the feed is `at`. */
  function receive(from: string, at: string | null, ours: Connection): void {
    const updates = recent.after_(at);
    if (!updates) {
      // It missed more than we remember: resume there, for everybody. All but it drop what they know.
      recent.startAfter_(at);
      ours.reopen_();
    }
    say({ kind: 'welcome', to: from, state: ours.state_, failures: ours.failures_, updates: updates ?? [] });
    void giveOthersATry();
  }

  // --- following -------------------------------------------------------------------------------

  function greet(): void {
    if (connection) return;
    turn = null;
    greetedAt = owner.lastEventId_();
    post({ kind: 'hello', from: id, at: greetedAt });
  }

  /** A leader answers a ping within one round; who does not is frozen, or there is none. */
  function watchLeader(): void {
    watchedSince = performance.now();
    watch.restart_(timings.lifeSign_ * (1 + Math.random() / 2));
  }

  function lookForLeader(): void {
    const wasLate = performance.now() - watchedSince > 2 * timings.lifeSign_;
    watchLeader();
    if (isAnswered || wasLate) {
      // When it was our own timer that slept, the answer may still be on its way.
      isAnswered = false;
      if (turn === null) greet();
      else post({ kind: 'ping' });
    } else if (contest) {
      isAnswered = true;
      void compete(true);
    }
  }

  function heard(message: Message): void {
    if ('leader' in message) {
      if (!connection) follow(message);
    } else if (connection) {
      if (message.kind === 'hello') receive(message.from, message.at, connection);
      else if (message.kind === 'ping') say({ kind: 'alive' });
      else connection.retryNow_();
    }
  }

  function follow(word: FromLeader): void {
    isAnswered = true;
    const isWelcome = word.kind === 'welcome' && word.to === id;
    const isOther = word.leader !== leader;
    leader = word.leader;
    if (isWelcome || (!isOther && turn !== null && word.turn === turn + 1)) {
      turn = word.turn;
      obey(word, isWelcome);
    } else if (isOther || turn !== null) {
      // Another leader, or one of its words was lost. While a greeting is out, there is no second.
      greet();
    }
  }

  function obey(word: FromLeader, isWelcome: boolean): void {
    const own = owner.lastEventId_();
    if (word.kind === 'alive') return;
    if (word.kind === 'welcome') {
      if (!isWelcome) return;
      become(word.state, word.failures);
      if (word.state === 'open') tell({ kind: 'open', resumed: !!greetedAt });
      for (const update of word.updates) tell({ kind: 'update', update });
    } else if (word.kind === 'open') {
      // Without a place in the feed there is nothing to resume, whatever the leader did.
      tell({ kind: 'open', resumed: word.resumed && !!own });
    } else if (!word.upTo || !own || !isAfter(own, word.upTo)) tell(word);
  }

  function become(now: ConnectionState, failures = 0): void {
    tell({ kind: 'state', state: now, failures });
  }

  function tell(news: News): void {
    if (news.kind === 'state') state = news.state;
    owner.hear_(news);
  }

  function say(word: Word): void {
    turns += 1;
    post({ ...word, leader: id, turn: turns });
  }

  function post(message: Message): void {
    channel?.postMessage(message);
  }

  return {
    get state_() {
      return state;
    },
    start_,
    stop_,
    hold_,
    retryNow_,
    tokenChanged_,
  };
}
