/**
 * A user's jobs, kept up to date: the chronicle (what is known, shown and told), the line (what
 * happens) and requests (what was missed), brought together.
 *
 * Framework-free. It sleeps until somebody retains it and goes back to sleep a moment after the
 * last release, so that a remount finds it as it was.
 */

import { JobsApi, withoutSlash } from './api.js';
import { spread } from './backoff.js';
import type { AnswerKind } from './book.js';
import { Chronicle, type JobsObserver, type JobsSnapshot } from './chronicle.js';
import type { ConnectionState, News } from './connection.js';
import { JobsApiError, localProblem, messageIn } from './errors.js';
import { FetchQueue } from './fetch-queue.js';
import { Holders, type TokenSource } from './holders.js';
import { Line } from './line.js';
import { isHidden, isOffline, watchPage } from './page-life.js';
import { PlaceWatch } from './place-watch.js';
import { Poller, type PollOutcome } from './poller.js';
import { Question } from './question.js';
import { findSocketUrl } from './socket-url.js';
import { timings } from './timings.js';
import type { CancelResponse, ConnectionStatus, Job, JobInput, JobStatusResponse } from './types.js';

export { EMPTY_SNAPSHOT, type JobsObserver, type JobsSnapshot } from './chronicle.js';

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
  readonly #holders = new Holders();
  readonly #api: JobsApi;
  readonly #chronicle: Chronicle;
  #line: Line | null = null;
  readonly #poller = new Poller(() => this.#poll());
  readonly #places = new PlaceWatch(() => this.#askForPlaces());
  readonly #fetches = new FetchQueue((jobId, isCurrent) => this.#fetch(jobId, isCurrent));
  readonly #list = new Question(
    () => this.#askForList(),
    () => this.#isAwake && !isOffline(),
  );

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
    this.#apiUrl = withoutSlash(apiUrl);
    this.#socketUrl = socketUrl;
    this.#api = new JobsApi({ apiUrl: this.#apiUrl, userId, token: () => this.#holders.token() });
    this.#chronicle = new Chronicle(
      userId,
      () => ({ status: this.#status(), error: this.#problem }),
      (jobId) => this.#fetches.add(jobId),
    );
    this.subscribe(() => this.#places.look(this.#isAwake ? this.getSnapshot().jobs : []));
  }

  readonly subscribe = (listener: () => void): (() => void) => this.#chronicle.subscribe(listener);

  readonly getSnapshot = (): JobsSnapshot => this.#chronicle.snapshot;

  /** Be told of events from now on; returns how to stop. */
  observe(observer: JobsObserver): () => void {
    return this.#chronicle.observe(observer);
  }

  /** The job as far as it is known, also one that is no longer shown. */
  getJob(jobId: string): Job | null {
    this.#chronicle.restore();
    return this.#chronicle.book.find(jobId);
  }

  /**
   * Ask the server for a job that is not known here, so that `getJob` knows it. One that has ended
   * is neither shown nor announced. Rejects with a `JobsApiError`.
   */
  async lookUp(jobId: string): Promise<void> {
    const { book } = this.#chronicle;
    const askedAt = book.clock;
    const status = await this.#api.status(jobId);
    this.#chronicle.restore();
    this.#chronicle.follow(book.recall(status) ? [] : book.answer(status, this.#answerKind(), askedAt));
    this.#chronicle.lookAgain();
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
    void this.#line?.tokenChanged();
    const state = this.#line?.state;
    if (state !== 'open' && (this.#isUnauthorized() || state === 'refused')) this.#retryNow();
  }

  /**
   * Create a job and follow it. Resolves to its id once the server has accepted it; rejects with a
   * `JobsApiError` whose `errors` name each wrong field.
   */
  readonly createJob = async (input: JobInput): Promise<string> => {
    const { userId = this.userId, ...fields } = input;
    if (userId !== this.userId) {
      throw localProblem(
        'wrong_user',
        'A job can only be created for the user who is signed in.',
        `Expected \`userId\` to be ${JSON.stringify(this.userId)} or left out, got ${JSON.stringify(userId)}.`,
      );
    }
    const created = await this.#api.create(fields);
    this.#chronicle.restore();
    this.#chronicle.book.created(created);
    this.#chronicle.remember(created.jobId, input);
    this.#chronicle.show();
    this.#chronicle.keep();
    this.#poller.poke();
    return created.jobId;
  };

  /**
   * Ask for a job to be cancelled. When the answer is `cancelling`, its worker was told, and the
   * job turns `cancelled` once the work has really stopped.
   */
  readonly cancelJob = async (jobId: string): Promise<CancelResponse> => {
    const answer = await this.#api.cancel(jobId);
    const { book } = this.#chronicle;
    book.cancelRequested(jobId);
    this.#chronicle.changed();
    this.#chronicle.show();
    if (answer.outcome !== 'cancelling' && book.knows(jobId)) this.#fetches.add(jobId);
    this.#poller.poke();
    return answer;
  };

  /** Whether `retryJob` knows what the job was created from: this page created it. */
  readonly canRetry = (jobId: string): boolean => this.#chronicle.inputOf(jobId) !== undefined;

  /** Create a job again, from the same input, and show it instead. Resolves to the new job's id. */
  readonly retryJob = async (jobId: string): Promise<string> => {
    const input = this.#chronicle.inputOf(jobId);
    if (input === undefined) {
      throw localProblem(
        'input_unknown',
        'Only jobs that this page created can be tried again from here.',
        `What ${JSON.stringify(jobId)} was created from is not kept. Create it anew.`,
      );
    }
    const newId = await this.createJob(input);
    this.dismissJob(jobId);
    return newId;
  };

  /** Stop showing a job. It goes on, if it has not ended, and its end is still announced. */
  readonly dismissJob = (jobId: string): void => {
    this.#chronicle.book.dismiss(jobId);
    this.#chronicle.forget(jobId);
    this.#chronicle.show();
    this.#chronicle.keep();
  };

  /** Ask the server for the user's jobs now. */
  readonly refresh = async (): Promise<void> => {
    await this.#list.ask();
  };

  // --- waking and sleeping ---------------------------------------------------------------------

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#chronicle.restore();
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
      hidden: () => this.#chronicle.keep(),
      frozen: () => this.#frozen(),
      thawed: () => this.#thawed(),
    });
    void this.#connect();
    this.#pollIfStillDown(timings.openGrace);
    const { book } = this.#chronicle;
    for (const jobId of book.awaitingResult()) this.#fetches.add(jobId);
    // A feed that can be resumed tells what was missed, so the list can be asked for at once;
    // otherwise it waits for the socket, so that nothing falls between the two.
    if (book.lastEventId !== null) void this.#list.ask();
    else this.#firstListTimer = setTimeout(() => void this.#list.ask(), timings.firstList);
    this.#chronicle.show();
  }

  #sleep(): void {
    if (!this.#isAwake || !this.#holders.isEmpty) return;
    this.#isAwake = false;
    this.#stopWatching();
    clearTimeout(this.#firstListTimer);
    clearTimeout(this.#silenceTimer);
    this.#poller.stop();
    this.#fetches.clear();
    clearTimeout(this.#downTimer);
    this.#downTimer = undefined;
    this.#line?.close();
    this.#chronicle.rest();
  }

  async #connect(): Promise<void> {
    const url = this.#socketUrl ?? (await findSocketUrl(this.#apiUrl));
    try {
      // Loaded when it is first needed; a server never needs it.
      const { io } = await import('socket.io-client');
      if (!this.#isAwake) return;
      this.#line ??= new Line({
        userId: this.userId,
        io,
        token: () => this.#holders.token(),
        canRenewToken: () => this.#holders.canRenewToken,
        lastEventId: () => this.#chronicle.book.lastEventId,
        hear: (news) => this.#hear(news),
      });
    } catch (error) {
      // No network, or a newer version of the application has taken the file away.
      this.#notLive('code_unavailable', messageIn(error));
      return;
    }
    if (isOffline()) this.#line.hold();
    else this.#line.retryNow();
    this.#line.open(url);
  }

  /** An open connection is kept as long as it lasts; nothing else is tried. */
  #wentOffline(): void {
    this.#line?.hold();
    this.#chronicle.show();
  }

  /** The browser would close the socket under us, and leave other tabs waiting for its news. */
  #frozen(): void {
    this.#chronicle.keep();
    this.#line?.close();
  }

  #thawed(): void {
    void this.#connect();
    this.#retryNow();
  }

  #retryNow(): void {
    if (this.#line) this.#line.retryNow();
    else void this.#connect();
    this.#fetches.retryNow();
    this.#poller.poke();
    this.#trouble(null);
  }

  // --- the line --------------------------------------------------------------------------------

  #hear(news: News): void {
    switch (news.kind) {
      case 'state':
        this.#connectionIs(news.state, news.failures);
        break;
      case 'open':
        this.#opened(news.resumed);
        break;
      case 'update':
        this.#listenForSilence();
        this.#chronicle.follow(this.#chronicle.book.update(news.update));
        break;
      case 'resync':
        this.#chronicle.book.skipTo(news.id);
        // The place may lie before the stored one, if the server has lost its feeds.
        this.#chronicle.overwrite();
        void this.#list.ask();
        break;
      case 'error':
        this.#notLive(news.code, news.message);
        break;
      case 'draining':
        this.#isDraining = true;
    }
  }

  #connectionIs(state: ConnectionState, failures: number): void {
    if (state === 'open' || state === 'closed') {
      clearTimeout(this.#downTimer);
      this.#downTimer = undefined;
    } else if (state === 'refused' || (!this.#wasOpen && failures >= SOCKET_TRIES)) {
      this.#startPolling();
    } else if (this.#wasOpen) {
      // Who was told to go with everybody else does not ask together with everybody else either.
      this.#pollIfStillDown(timings.downGrace + (this.#isDraining ? spread() : 0));
    }
    this.#chronicle.show();
  }

  #startPolling(): void {
    this.#poller.start(!this.#isListed || this.#isWaiting());
    this.#chronicle.show();
  }

  #pollIfStillDown(grace: number): void {
    this.#downTimer ??= setTimeout(() => this.#startPolling(), grace);
  }

  #opened(resumed: boolean): void {
    this.#wasOpen = true;
    this.#isDraining = false;
    clearTimeout(this.#firstListTimer);
    this.#poller.stop();
    this.#fetches.retryNow();
    this.#listenForSilence();
    if (!resumed) void this.#list.ask();
    this.#trouble(null);
  }

  /** Belt and braces: an open socket may be half dead, and a feed may have lost its relay. */
  #listenForSilence(): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      this.#listenForSilence();
      if (this.#isWaiting()) this.#askIfLive();
    }, timings.silence);
  }

  // --- requests --------------------------------------------------------------------------------

  async #poll(): Promise<PollOutcome> {
    // A fixed token that was refused stays refused.
    const isVain = isOffline() || (this.#isUnauthorized() && !this.#holders.canRenewToken);
    return isVain ? { changed: false, waiting: false } : this.#list.ask();
  }

  /** Ask for the live jobs, and for what became of those that are no longer among them. */
  async #askForList(): Promise<PollOutcome> {
    const { book } = this.#chronicle;
    const askedAt = book.clock;
    let list: JobStatusResponse[];
    try {
      list = await this.#api.list();
    } catch (error) {
      this.#failed(error);
      return { changed: false, waiting: true };
    }
    this.#succeeded();
    this.#isListed = true;
    const before = JSON.stringify(book.stored());
    const missing = book.missingFrom(list, askedAt);
    for (const jobId of missing) this.#fetches.add(jobId);
    this.#chronicle.follow(list.flatMap((status) => book.answer(status, this.#answerKind(), askedAt)));
    const changed = missing.length > 0 || JSON.stringify(book.stored()) !== before;
    return { changed, waiting: this.#isWaiting() };
  }

  /** Nobody asks for what nobody sees, and polling asks anyway. */
  #askForPlaces(): void {
    if (!isHidden()) this.#askIfLive();
  }

  #askIfLive(): void {
    if (this.#line?.state === 'open' && !isOffline()) void this.#list.ask();
  }

  /** Ask for one job until there is an answer. Returns whether to try again later. */
  async #fetch(jobId: string, isCurrent: () => boolean): Promise<boolean> {
    if (this.#isUnauthorized() || isOffline()) return true;
    const { book } = this.#chronicle;
    const askedAt = book.clock;
    try {
      const status = await this.#api.status(jobId);
      if (!isCurrent()) return false;
      this.#succeeded();
      this.#chronicle.follow(book.answer(status, this.#answerKind(), askedAt));
    } catch (error) {
      if (!isCurrent()) return false;
      if (!(error instanceof JobsApiError) || error.status !== 404) {
        this.#failed(error);
        return true;
      }
      this.#chronicle.follow(book.gone(jobId));
    }
    return book.isFinishing(jobId);
  }

  #isWaiting(): boolean {
    return this.#chronicle.book.live().length > 0;
  }

  /** While polling, answers are all the news there is; otherwise the feed tells the same, in order. */
  #answerKind(): AnswerKind {
    return this.#poller.isRunning ? 'polled' : 'asked';
  }

  // --- what keeps updates from coming ----------------------------------------------------------

  #trouble(problem: JobsApiError | null): void {
    this.#problem = problem;
    this.#chronicle.show();
  }

  #notLive(code: string, message: string): void {
    this.#trouble(localProblem(code, 'Live updates are not available.', message));
  }

  #failed(error: unknown): void {
    if (!(error instanceof JobsApiError)) throw error;
    this.#trouble(error);
  }

  #succeeded(): void {
    const wasUnauthorized = this.#isUnauthorized();
    if (this.#line?.state === 'refused' && !wasUnauthorized) return;
    if (wasUnauthorized) this.#line?.retryNow();
    this.#trouble(null);
  }

  #isUnauthorized(): boolean {
    return this.#problem?.status === 401;
  }

  #status(): ConnectionStatus {
    if (!this.#isAwake) return 'idle';
    if (this.#line?.state === 'open') return 'live';
    if (isOffline()) return 'offline';
    if (this.#isUnauthorized()) return 'unauthorized';
    return this.#poller.isRunning ? 'polling' : 'connecting';
  }
}
