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

import { Connection, type ConnectionOwner, type ConnectionState, type News } from './connection.js';
import { isAfter } from './feed-id.js';
import { RecentUpdates } from './recent-updates.js';
import { canShare, nameOfGroup } from './tab-group.js';
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

export class Line {
  state_: ConnectionState = 'closed';
  /** How many attempts to connect have failed in a row. */
  failures_ = 0;

  readonly #owner: ConnectionOwner;
  readonly #recent = new RecentUpdates();
  readonly #id = `${Math.random()}`;
  #url: string | null = null;
  #group: string | null = null;
  #channel: BroadcastChannel | null = null;
  #connection: Connection | null = null;
  #isHeld = false;

  // Of a follower:
  #leader: string | null = null;
  /** The leader's last turn we heard; null while we are not in step with it. */
  #turn: number | null = null;
  #greetedAt: string | null = null;
  #lifeTimer: ReturnType<typeof setTimeout> | undefined;
  #isAnswered = true;

  // Of a leader, and of who would become one:
  #turns = 0;
  #contest: AbortController | null = null;
  #release: (() => void) | null = null;

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
  }

  open_(url: string): void {
    if (this.#url !== null) return;
    this.#url = url;
    this.#become('connecting');
    void this.#join(url);
  }

  close_(): void {
    this.#url = null;
    this.#leave();
    this.#become('closed');
  }

  /** Make no attempts until `retryNow()`. */
  hold_(): void {
    this.#isHeld = true;
    this.#connection?.hold_();
  }

  /** Circumstances have changed: whoever connects should not wait any longer. */
  retryNow_(): void {
    this.#isHeld = false;
    if (this.#connection !== null) {
      this.#connection.retryNow_();
    } else if (this.#channel !== null) {
      if (this.#contest === null) void this.#compete();
      this.#post({ kind: 'retry' });
      this.#greet();
    }
  }

  /** There may be another token: take it to the open connection, or to the group that it belongs to. */
  async tokenChanged_(): Promise<void> {
    const url = this.#url;
    if (url === null) return;
    const group = this.#channel && (await this.#nameGroup(url));
    if (url !== this.#url) return;
    if (group !== this.#group) {
      this.#leave();
      this.#become('connecting');
      await this.#join(url);
    } else await this.#connection?.renewToken_();
  }

  async #join(url: string): Promise<void> {
    const group = canShare() ? await this.#nameGroup(url) : null;
    if (url !== this.#url || this.#channel !== null || this.#connection !== null) return;
    this.#group = group;
    if (group === null) {
      this.#lead();
      return;
    }
    this.#channel = new BroadcastChannel(group);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#heard(data);
    // In line first: a leader whose token is refused gives way when somebody waits.
    void this.#compete();
    this.#greet();
    this.#watchLeader();
  }

  #leave(): void {
    clearTimeout(this.#lifeTimer);
    this.#contest?.abort();
    this.#contest = null;
    this.#stepDown();
    this.#channel?.close();
    this.#channel = null;
    this.#group = null;
    this.#leader = null;
    this.#turn = null;
  }

  async #nameGroup(url: string): Promise<string | null> {
    try {
      return await nameOfGroup(url, this.#owner.userId, await this.#owner.token_());
    } catch {
      // The connection asks again, and says what is wrong.
      return null;
    }
  }

  // --- who leads -------------------------------------------------------------------------------

  /** Stand in line for the lock, or take it from whoever has it. Resolves when that is over. */
  async #compete(byForce = false): Promise<void> {
    const group = this.#group;
    if (group === null) return;
    this.#contest?.abort();
    const contest = new AbortController();
    this.#contest = contest;
    // A lock taken by force is granted at once: there is no standing in line to be given up.
    const options: LockOptions = byForce ? { steal: true } : { signal: contest.signal };
    try {
      await navigator.locks.request(group, options, () => {
        if (contest.signal.aborted) return undefined;
        return new Promise<void>((resolve) => {
          this.#release = resolve;
          this.#lead();
        });
      });
    } catch (error) {
      if (contest.signal.aborted) return;
      if (!(error instanceof DOMException && error.name === 'AbortError')) throw error;
      // We were silent for so long that another tab has taken over.
      this.#stepDown();
      this.#greet();
      this.#watchLeader();
      void this.#compete();
    }
  }

  #lead(): void {
    const url = this.#url;
    if (url === null) return;
    clearTimeout(this.#lifeTimer);
    this.#leader = this.#id;
    this.#recent.startAfter_(this.#owner.lastEventId_());
    const connection = new Connection({
      ...this.#owner,
      lastEventId_: () => this.#recent.at_,
      hear_: (news) => this.#pass(news),
    });
    this.#connection = connection;
    if (this.#isHeld) connection.hold_();
    connection.open_(url);
  }

  /** No longer connect for others. */
  #stepDown(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.close_();
    this.#release?.();
    this.#release = null;
  }

  /** Pass on what our connection tells. */
  #pass(news: News): void {
    const connection = this.#connection;
    // The farewell of a connection that has been given up is nobody's news.
    if (connection === null) return;
    if (news.kind === 'update' && !this.#recent.add_(news.update)) return;
    if (news.kind === 'resync') {
      const asked = connection.resumedFrom_;
      const own = this.#owner.lastEventId_();
      if (asked !== null && own !== null && isAfter(own, asked)) {
        // A tab that slept for too long asked for what is gone; the others go on where they were.
        this.#say({ ...news, upTo: asked });
        this.#recent.startAfter_(own);
        connection.reopen_();
        return;
      }
      this.#recent.startAfter_(news.id);
    }
    this.#say(news);
    this.#tell(news);
    if (connection.state_ === 'refused') void this.#giveOthersATry();
  }

  /** Our token is not taken, another tab's may be: let it lead, and stand back until ours changes. */
  async #giveOthersATry(): Promise<void> {
    const group = this.#group;
    if (group === null) return;
    const { pending = [] } = await navigator.locks.query();
    if (this.#connection?.state_ !== 'refused' || !pending.some(({ name }) => name === group)) return;
    this.#contest?.abort();
    this.#contest = null;
    this.#stepDown();
    this.#turn = null;
  }

  /** Bring a follower up to date whose place in the feed is `at`. */
  #receive(from: string, at: string | null, connection: Connection): void {
    let updates = this.#recent.after_(at);
    if (updates === null) {
      // It missed more than we remember: resume there, for everybody. All but it drop what they know.
      this.#recent.startAfter_(at);
      connection.reopen_();
      updates = [];
    }
    const { state_: state, failures_: failures } = connection;
    this.#say({ kind: 'welcome', to: from, state, failures, updates });
    if (state === 'refused') void this.#giveOthersATry();
  }

  // --- following -------------------------------------------------------------------------------

  #greet(): void {
    if (this.#connection !== null) return;
    this.#turn = null;
    this.#greetedAt = this.#owner.lastEventId_();
    this.#post({ kind: 'hello', from: this.#id, at: this.#greetedAt });
  }

  /** A leader answers a ping within one round; who does not is frozen, or there is none. */
  #watchLeader(): void {
    clearTimeout(this.#lifeTimer);
    const setAt = performance.now();
    this.#lifeTimer = setTimeout(() => {
      const wasLate = performance.now() - setAt > 2 * timings.lifeSign_;
      this.#watchLeader();
      if (this.#isAnswered || wasLate) {
        // When it was our own timer that slept, the answer may still be on its way.
        this.#isAnswered = false;
        if (this.#turn === null) this.#greet();
        else this.#post({ kind: 'ping' });
      } else if (this.#contest !== null) {
        this.#isAnswered = true;
        void this.#compete(true);
      }
    }, timings.lifeSign_ * (1 + Math.random() / 2));
  }

  #heard(message: Message): void {
    const connection = this.#connection;
    if ('leader' in message) {
      if (connection === null) this.#follow(message);
    } else if (connection !== null) {
      if (message.kind === 'hello') this.#receive(message.from, message.at, connection);
      if (message.kind === 'ping') this.#say({ kind: 'alive' });
      if (message.kind === 'retry') connection.retryNow_();
    }
  }

  #follow(word: FromLeader): void {
    this.#isAnswered = true;
    const { leader, turn } = word;
    const isWelcome = word.kind === 'welcome' && word.to === this.#id;
    const isNext = this.#turn !== null && leader === this.#leader && turn === this.#turn + 1;
    if (isWelcome || isNext) {
      this.#leader = leader;
      this.#turn = turn;
      this.#obey(word, isWelcome);
    } else if (this.#turn !== null || leader !== this.#leader) {
      // Another leader, or one of its words was lost. While a greeting is out, there is no second.
      this.#leader = leader;
      this.#greet();
    }
  }

  #obey(word: FromLeader, isWelcome: boolean): void {
    const own = this.#owner.lastEventId_();
    switch (word.kind) {
      case 'alive':
        return;
      case 'welcome':
        if (!isWelcome) return;
        this.#become(word.state, word.failures);
        if (word.state === 'open') this.#tell({ kind: 'open', resumed: this.#greetedAt !== null });
        for (const update of word.updates) this.#tell({ kind: 'update', update });
        return;
      case 'open':
        // Without a place in the feed there is nothing to resume, whatever the leader did.
        this.#tell({ kind: 'open', resumed: word.resumed && own !== null });
        return;
      default:
        if (word.upTo === undefined || own === null || !isAfter(own, word.upTo)) this.#tell(word);
    }
  }

  #become(state: ConnectionState, failures = 0): void {
    this.#tell({ kind: 'state', state, failures });
  }

  #tell(news: News): void {
    if (news.kind === 'state') {
      this.state_ = news.state;
      this.failures_ = news.failures;
    }
    this.#owner.hear_(news);
  }

  #say(word: Word): void {
    this.#turns += 1;
    this.#post({ ...word, leader: this.#id, turn: this.#turns });
  }

  #post(message: Message): void {
    this.#channel?.postMessage(message);
  }
}
