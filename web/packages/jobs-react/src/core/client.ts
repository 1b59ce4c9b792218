/**
 * A user's jobs, kept up to date: the book (what is known), the socket (what happens), requests
 * (what was missed) and storage (what survives a reload), brought together.
 *
 * Framework-free. It sleeps until somebody retains it and goes back to sleep a moment after the
 * last release, so that a remount finds it as it was.
 */

import { JobsApi } from './api.js';
import { spread } from './backoff.js';
import { JobBook, type AnswerKind, type Consequence } from './book.js';
import type { ConnectionState } from './connection.js';
import { Display, type JobsSnapshot } from './display.js';
import { JobsApiError } from './errors.js';
import { FetchQueue } from './fetch-queue.js';
import { HeldEnds } from './held-ends.js';
import { Holders, type TokenSource } from './holders.js';
import { LazyLine } from './lazy-line.js';
import { Memory } from './memory.js';
import { Observers, type JobsObserver } from './observers.js';
import { isOffline, watchPage } from './page-life.js';
import { PlaceWatch } from './place-watch.js';
import { Poller, type PollOutcome } from './poller.js';
import { Question } from './question.js';
import { Retries } from './retries.js';
import { findSocketUrl } from './socket-url.js';
import { timings } from './timings.js';
import type { CancelResponse, ConnectionStatus, Job, JobInput, JobStatusResponse, JobUpdate } from './types.js';

export { EMPTY_SNAPSHOT, type JobsSnapshot } from './display.js';
export type { JobsObserver } from './observers.js';

export interface JobsClientOptions {
  readonly userId: string;
  /** Where the API lives, without `/api`. Default: the page's own origin. */
  readonly apiUrl?: string | undefined;
  /** Where the Socket.IO gateway lives. Default: as the API says, else port 3001 of its host. */
  readonly socketUrl?: string | undefined;
}

type Timer = ReturnType<typeof setTimeout>;

const SOCKET_TRIES = 3;

export class JobsClient {
  readonly userId: string;
  readonly #apiUrl: string;
  readonly #socketUrl: string | undefined;
  readonly #api: JobsApi;
  readonly #book = new JobBook();
  readonly #memory: Memory;
  readonly #display = new Display(() => this.#look());
  readonly #line: LazyLine;
  readonly #poller = new Poller(() => this.#poll());
  readonly #places = new PlaceWatch(() => this.#askForPlaces());
  readonly #observers = new Observers();
  readonly #holders = new Holders();
  readonly #retries = new Retries();
  readonly #fetches = new FetchQueue((jobId, isCurrent) => this.#fetch(jobId, isCurrent));
  readonly #list = new Question(
    () => this.#askForList(),
    () => this.#isAwake && !isOffline(),
  );
  readonly #heldEnds = new HeldEnds((jobId) => this.#news(this.#book.settleHeld(jobId)));

  #isAwake = false;
  #wasOpen = false;
  #problem: JobsApiError | null = null;
  /** The server's list has been seen since we woke. */
  #isListed = false;
  #isDraining = false;
  #stopWatching = (): void => undefined;
  #lingerTimer: Timer | undefined;
  #firstListTimer: Timer | undefined;
  #downTimer: Timer | undefined;
  #silenceTimer: Timer | undefined;

  constructor({ userId, apiUrl = '', socketUrl }: JobsClientOptions) {
    this.userId = userId;
    this.#memory = new Memory(userId, this.#book);
    this.subscribe(() => this.#places.look(this.#isAwake ? this.getSnapshot().jobs : []));
    this.#apiUrl = apiUrl.replace(/\/+$/, '');
    this.#socketUrl = socketUrl;
    this.#api = new JobsApi({ apiUrl: this.#apiUrl, userId, token: () => this.#holders.token() });
    this.#line = new LazyLine({
      userId,
      token: () => this.#holders.token(),
      canRenewToken: () => this.#holders.canRenewToken,
      lastEventId: () => this.#book.lastEventId,
      onState: (state) => this.#connectionIs(state),
      onOpen: (resumed) => this.#opened(resumed),
      onUpdate: (update) => this.#updated(update),
      onResync: (id) => this.#resync(id),
      onError: (code, message) => this.#complained(code, message),
      onDraining: () => {
        this.#isDraining = true;
      },
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => this.#display.subscribe(listener);

  readonly getSnapshot = (): JobsSnapshot => this.#display.snapshot;

  /** Be told of events from now on; returns how to stop. */
  observe(observer: JobsObserver): () => void {
    return this.#observers.add(observer);
  }

  /** The job as far as it is known, also one that is no longer shown. */
  getJob(jobId: string): Job | null {
    this.#memory.restore();
    return this.#book.find(jobId);
  }

  /**
   * Ask the server for a job that is not known here, so that `getJob` knows it. One that has ended
   * is neither shown nor announced. Rejects with a `JobsApiError`.
   */
  async lookUp(jobId: string): Promise<void> {
    const askedAt = this.#book.clock;
    const status = await this.#api.status(jobId);
    this.#memory.restore();
    if (!this.#book.recall(status)) this.#follow(this.#book.answer(status, this.#answerKind(), askedAt));
    this.#changed();
    this.#display.tell();
  }

  /** Keep the jobs up to date until the returned function is called. */
  retain(token: TokenSource = () => undefined): () => void {
    const leave = this.#holders.add(token);
    clearTimeout(this.#lingerTimer);
    this.#wake();
    return () => {
      if (leave() && this.#holders.isEmpty) this.#lingerTimer = setTimeout(() => this.#sleep(), timings.linger);
    };
  }

  /** The token given to `retain` has changed: use it now. */
  tokenChanged(): void {
    if (!this.#isAwake) return;
    void this.#line.tokenChanged();
    if (this.#line.state !== 'open' && (this.#isUnauthorized() || this.#line.state === 'refused')) this.#retryNow();
  }

  /**
   * Create a job and follow it. Resolves to its id once the server has accepted it; rejects with a
   * `JobsApiError` whose `errors` name each wrong field.
   */
  async createJob(input: JobInput): Promise<string> {
    const { userId, ...fields } = input;
    if (userId !== undefined && userId !== this.userId) throw wrongUser(this.userId, userId);
    const created = await this.#api.create(fields);
    this.#memory.restore();
    this.#book.created(created);
    this.#retries.remember(created.jobId, input);
    this.#changed();
    this.#display.refresh();
    this.#memory.keep();
    this.#poller.poke();
    return created.jobId;
  }

  /**
   * Ask for a job to be cancelled. When the answer is `cancelling`, its worker was told, and the
   * job turns `cancelled` once the work has really stopped.
   */
  async cancelJob(jobId: string): Promise<CancelResponse> {
    const answer = await this.#api.cancel(jobId);
    this.#book.cancelRequested(jobId);
    this.#changed();
    this.#display.refresh();
    if (answer.outcome !== 'cancelling' && this.#book.knows(jobId)) this.#fetches.add(jobId);
    this.#poller.poke();
    return answer;
  }

  /** Whether `retryJob` knows what the job was created from: this page created it. */
  canRetry(jobId: string): boolean {
    return this.#retries.inputOf(jobId) !== undefined;
  }

  /** Create a job again, from the same input, and show it instead. Resolves to the new job's id. */
  async retryJob(jobId: string): Promise<string> {
    const input = this.#retries.inputOf(jobId);
    if (input === undefined) throw notOurs(jobId);
    const newId = await this.createJob(input);
    this.dismissJob(jobId);
    return newId;
  }

  /** Stop showing a job. It goes on, if it has not ended, and its end is still announced. */
  dismissJob(jobId: string): void {
    this.#book.dismiss(jobId);
    this.#retries.forget(jobId);
    this.#changed();
    this.#display.refresh();
    this.#memory.keep();
  }

  /** Ask the server for the user's jobs now. */
  async refresh(): Promise<void> {
    await this.#list.ask();
  }

  // --- waking and sleeping ---------------------------------------------------------------------

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#memory.restore();
    this.#wasOpen = false;
    this.#isListed = false;
    this.#problem = null;
    this.#stopWatching = watchPage({
      online: () => this.#retryNow(),
      offline: () => this.#wentOffline(),
      shown: () => {
        this.#poller.poke();
        this.#places.refresh();
      },
      hidden: () => this.#memory.keep(),
      frozen: () => this.#frozen(),
      thawed: () => this.#thawed(),
    });
    if (isOffline()) this.#line.hold();
    void this.#connect();
    this.#pollIfStillDown(timings.openGrace);
    for (const jobId of this.#book.awaitingResult()) this.#fetches.add(jobId);
    // A feed that can be resumed tells what was missed, so the list can be asked for at once;
    // otherwise it waits for the socket, so that nothing falls between the two.
    if (this.#book.lastEventId !== null) void this.#list.ask();
    else this.#firstListTimer = setTimeout(() => void this.#list.ask(), timings.firstList);
    this.#display.refresh();
  }

  #sleep(): void {
    if (!this.#isAwake || !this.#holders.isEmpty) return;
    this.#isAwake = false;
    this.#stopWatching();
    clearTimeout(this.#firstListTimer);
    clearTimeout(this.#downTimer);
    this.#downTimer = undefined;
    clearTimeout(this.#silenceTimer);
    this.#heldEnds.clear();
    this.#poller.stop();
    this.#fetches.clear();
    this.#line.close();
    this.#memory.keep();
    this.#display.refresh();
  }

  async #connect(): Promise<void> {
    const url = this.#socketUrl ?? (await findSocketUrl(this.#apiUrl));
    if (this.#isAwake) this.#line.open(url);
  }

  /** An open connection is kept as long as it lasts; nothing else is tried. */
  #wentOffline(): void {
    this.#line.hold();
    this.#display.refresh();
  }

  /** The browser would close the socket under us, and leave other tabs waiting for its news. */
  #frozen(): void {
    this.#memory.keep();
    this.#line.close();
  }

  #thawed(): void {
    void this.#connect();
    this.#retryNow();
  }

  #retryNow(): void {
    this.#problem = null;
    this.#line.retryNow();
    this.#fetches.retryNow();
    this.#poller.poke();
    this.#display.refresh();
  }

  // --- the socket ------------------------------------------------------------------------------

  #connectionIs(state: ConnectionState): void {
    if (state === 'open' || state === 'closed') {
      clearTimeout(this.#downTimer);
      this.#downTimer = undefined;
    } else if (state === 'refused' || (!this.#wasOpen && this.#line.failures >= SOCKET_TRIES)) {
      this.#startPolling();
    } else if (this.#wasOpen) {
      // Who was told to go with everybody else does not ask together with everybody else either.
      this.#pollIfStillDown(timings.downGrace + (this.#isDraining ? spread() : 0));
    }
    this.#display.refresh();
  }

  #startPolling(): void {
    this.#poller.start(!this.#isListed || this.#book.live().length > 0);
  }

  #pollIfStillDown(grace: number): void {
    const poll = (): void => {
      this.#startPolling();
      this.#display.refresh();
    };
    this.#downTimer ??= setTimeout(poll, grace);
  }

  #opened(resumed: boolean): void {
    this.#wasOpen = true;
    this.#isDraining = false;
    this.#problem = null;
    clearTimeout(this.#firstListTimer);
    this.#poller.stop();
    this.#fetches.retryNow();
    this.#listenForSilence();
    if (!resumed) void this.#list.ask();
    this.#display.refresh();
  }

  #updated(update: JobUpdate): void {
    this.#listenForSilence();
    this.#news(this.#book.update(update));
  }

  #resync(id: string | null): void {
    this.#book.skipTo(id);
    // The place may lie before the stored one, if the server has lost its feeds.
    this.#memory.overwrite();
    void this.#list.ask();
  }

  /** Belt and braces: an open socket may be half dead, and a feed may have lost its relay. */
  #listenForSilence(): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      this.#listenForSilence();
      if (this.#line.state === 'open' && this.#book.live().length > 0 && !isOffline()) void this.#list.ask();
    }, timings.silence);
  }

  #complained(code: string, message: string): void {
    this.#problem = new JobsApiError({
      status: 0,
      code,
      title: 'Live updates are not available.',
      detail: message,
    });
    this.#display.refresh();
  }

  // --- requests --------------------------------------------------------------------------------

  async #poll(): Promise<PollOutcome> {
    // A fixed token that was refused stays refused.
    const isVain = isOffline() || (this.#isUnauthorized() && !this.#holders.canRenewToken);
    if (isVain) return { changed: false, waiting: false };
    return this.#list.ask();
  }

  /** Ask for the live jobs, and for what became of those that are no longer among them. */
  async #askForList(): Promise<PollOutcome> {
    const askedAt = this.#book.clock;
    let list: JobStatusResponse[];
    try {
      list = await this.#api.list();
    } catch (error) {
      this.#failed(error);
      return { changed: false, waiting: true };
    }
    this.#succeeded();
    this.#isListed = true;
    const before = JSON.stringify(this.#book.stored());
    const missing = this.#book.missingFrom(list, askedAt);
    for (const status of list) this.#follow(this.#book.answer(status, this.#answerKind(), askedAt));
    for (const jobId of missing) this.#fetches.add(jobId);
    const changed = missing.length > 0 || JSON.stringify(this.#book.stored()) !== before;
    if (changed) this.#changed();
    return { changed, waiting: this.#book.live().length > 0 };
  }

  /** Nobody asks for what nobody sees, and polling asks anyway. */
  #askForPlaces(): void {
    const isSeen = typeof document === 'undefined' || document.visibilityState !== 'hidden';
    if (isSeen && this.#line.state === 'open' && !isOffline()) void this.#list.ask();
  }

  /** Ask for one job until there is an answer. Returns whether to try again later. */
  async #fetch(jobId: string, isCurrent: () => boolean): Promise<boolean> {
    if (this.#isUnauthorized() || isOffline()) return true;
    const askedAt = this.#book.clock;
    try {
      const status = await this.#api.status(jobId);
      if (!isCurrent()) return false;
      this.#succeeded();
      this.#follow(this.#book.answer(status, this.#answerKind(), askedAt));
    } catch (error) {
      if (!isCurrent()) return false;
      if (!(error instanceof JobsApiError) || error.status !== 404) {
        this.#failed(error);
        return true;
      }
      this.#follow(this.#book.gone(jobId));
    }
    this.#changed();
    return this.#book.isFinishing(jobId);
  }

  /** While polling, answers are all the news there is; otherwise the feed tells the same, in order. */
  #answerKind(): AnswerKind {
    return this.#poller.isRunning ? 'polled' : 'asked';
  }

  #failed(error: unknown): void {
    if (!(error instanceof JobsApiError)) throw error;
    this.#problem = error;
    this.#display.refresh();
  }

  #succeeded(): void {
    if (this.#problem === null) return;
    const wasUnauthorized = this.#isUnauthorized();
    if (this.#line.state === 'refused' && !wasUnauthorized) return;
    this.#problem = null;
    if (wasUnauthorized) this.#line.retryNow();
    this.#display.refresh();
  }

  #isUnauthorized(): boolean {
    return this.#problem?.status === 401;
  }

  // --- telling ---------------------------------------------------------------------------------

  #follow(consequences: readonly Consequence[]): void {
    for (const consequence of consequences) this.#followOne(consequence);
  }

  #followOne(consequence: Consequence): void {
    const { jobId } = consequence;
    switch (consequence.kind) {
      case 'fetch':
        this.#fetches.add(jobId);
        return;
      case 'confirm':
        this.#heldEnds.hold(jobId);
        return;
      case 'progress':
        this.#observers.tell((observer) => observer.onProgress?.(jobId, consequence.progress));
        return;
    }
    // An end is stored before it is told, so that a reload in between cannot tell it again.
    this.#memory.keep();
    this.#display.refresh();
    if (consequence.kind !== 'error') this.#retries.forget(jobId);
    if (consequence.kind === 'complete') this.#observers.tell((o) => o.onComplete?.(jobId, consequence.result));
    if (consequence.kind === 'error') this.#observers.tell((o) => o.onError?.(jobId, consequence.error));
    if (consequence.kind === 'cancel') this.#observers.tell((o) => o.onCancel?.(jobId));
  }

  /** Tell what follows, and show and store that the book has changed. */
  #news(consequences: readonly Consequence[]): void {
    this.#follow(consequences);
    this.#changed();
  }

  #changed(): void {
    this.#display.refreshSoon();
    this.#memory.keepSoon();
  }

  #look(): JobsSnapshot {
    return { jobs: this.#book.jobs(), status: this.#status(), error: this.#problem };
  }

  #status(): ConnectionStatus {
    if (!this.#isAwake) return 'idle';
    if (this.#line.state === 'open') return 'live';
    if (isOffline()) return 'offline';
    if (this.#isUnauthorized()) return 'unauthorized';
    return this.#poller.isRunning ? 'polling' : 'connecting';
  }
}

function wrongUser(expected: string, got: string): JobsApiError {
  return new JobsApiError({
    status: 0,
    code: 'wrong_user',
    title: 'A job can only be created for the user who is signed in.',
    detail: `Expected \`userId\` to be ${JSON.stringify(expected)} or left out, got ${JSON.stringify(got)}.`,
  });
}

function notOurs(jobId: string): JobsApiError {
  return new JobsApiError({
    status: 0,
    code: 'input_unknown',
    title: 'Only jobs that this page created can be tried again from here.',
    detail: `What ${JSON.stringify(jobId)} was created from is not kept. Create it anew.`,
  });
}
