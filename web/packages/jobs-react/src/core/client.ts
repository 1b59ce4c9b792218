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
import type { Line } from './line.js';
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
  #hasMissed = false;
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
    this.#api = new JobsApi({ apiUrl: this.#apiUrl, userId, token: () => this.#holders.token_() });
    this.#chronicle = new Chronicle(
      userId,
      () => ({ status: this.#status(), error: this.#problem }),
      (jobId) => this.#fetches.add_(jobId),
    );
    this.subscribe(() => this.#places.look_(this.#isAwake ? this.getSnapshot().jobs : []));
  }

  readonly subscribe = (listener: () => void): (() => void) => this.#chronicle.subscribe_(listener);

  readonly getSnapshot = (): JobsSnapshot => this.#chronicle.snapshot_;

  /** Be told of events from now on; returns how to stop. */
  observe(observer: JobsObserver): () => void {
    return this.#chronicle.observe_(observer);
  }

  /** The job as far as it is known, also one that is no longer shown. */
  getJob(jobId: string): Job | null {
    this.#chronicle.restore_();
    return this.#chronicle.book_.find_(jobId);
  }

  /**
   * Ask the server for a job that is not known here, so that `getJob` knows it. One that has ended
   * is neither shown nor announced. Rejects with a `JobsApiError`.
   */
  async lookUp(jobId: string): Promise<void> {
    const { book_: book } = this.#chronicle;
    const askedAt = book.clock_;
    const status = await this.#api.status(jobId);
    this.#chronicle.restore_();
    this.#chronicle.follow_(book.recall_(status) ? [] : book.answer_(status, this.#answerKind(), askedAt));
    this.#chronicle.lookAgain_();
  }

  /** Keep the jobs up to date until the returned function is called. */
  retain(token: TokenSource = () => undefined): () => void {
    const leave = this.#holders.add_(token);
    clearTimeout(this.#lingerTimer);
    this.#wake();
    return () => {
      if (leave() && this.#holders.isEmpty_) this.#lingerTimer = setTimeout(() => this.#sleep(), timings.linger_);
    };
  }

  /** The token given to `retain` has changed: use it now. */
  tokenChanged(): void {
    if (!this.#isAwake) return;
    void this.#line?.tokenChanged_();
    const state = this.#line?.state_;
    if (state !== 'open' && (this.#isUnauthorized() || state === 'refused')) this.#retryNow();
  }

  /**
   * Create a job and follow it. Resolves to its id once the server has accepted it; rejects with a
   * `JobsApiError` whose `errors` name each wrong field.
   */
  readonly createJob = async (input: JobInput): Promise<string> => {
    const { userId = this.userId, ...fields } = input;
    if (userId !== this.userId) {
      throw localProblem('wrong_user', `Jobs can only be created for ${this.userId}, not for ${userId}.`);
    }
    const created = await this.#api.create(fields);
    this.#chronicle.restore_();
    this.#chronicle.book_.created_(created);
    this.#chronicle.remember_(created.jobId, input);
    this.#chronicle.show_();
    this.#chronicle.keep_();
    this.#poller.poke_();
    return created.jobId;
  };

  /**
   * Ask for a job to be cancelled. When the answer is `cancelling`, its worker was told, and the
   * job turns `cancelled` once the work has really stopped.
   */
  readonly cancelJob = async (jobId: string): Promise<CancelResponse> => {
    const answer = await this.#api.cancel(jobId);
    const { book_: book } = this.#chronicle;
    book.cancelRequested_(jobId);
    this.#chronicle.changed_();
    this.#chronicle.show_();
    if (answer.outcome !== 'cancelling' && book.knows_(jobId)) this.#fetches.add_(jobId);
    this.#poller.poke_();
    return answer;
  };

  /** Whether `retryJob` knows what the job was created from: this page created it. */
  readonly canRetry = (jobId: string): boolean => this.#chronicle.inputOf_(jobId) !== undefined;

  /** Create a job again, from the same input, and show it instead. Resolves to the new job's id. */
  readonly retryJob = async (jobId: string): Promise<string> => {
    const input = this.#chronicle.inputOf_(jobId);
    if (input === undefined) {
      throw localProblem('input_unknown', 'Only jobs that this page created can be tried again.');
    }
    const newId = await this.createJob(input);
    this.dismissJob(jobId);
    return newId;
  };

  /** Stop showing a job. It goes on, if it has not ended, and its end is still announced. */
  readonly dismissJob = (jobId: string): void => {
    this.#chronicle.book_.dismiss_(jobId);
    this.#chronicle.forget_(jobId);
    this.#chronicle.show_();
    this.#chronicle.keep_();
  };

  /** Ask the server for the user's jobs now. */
  readonly refresh = async (): Promise<void> => {
    await this.#list.ask_();
  };

  // --- waking and sleeping ---------------------------------------------------------------------

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#chronicle.restore_();
    this.#wasOpen = this.#hasMissed = false;
    this.#isListed = false;
    this.#problem = null;
    this.#stopWatching = watchPage({
      online: () => this.#retryNow(),
      offline: () => this.#wentOffline(),
      shown: () => {
        this.#poller.poke_();
        this.#places.refresh_();
      },
      hidden: () => this.#chronicle.keep_(),
      frozen: () => this.#frozen(),
      thawed: () => this.#thawed(),
    });
    void this.#connect();
    this.#pollIfStillDown(timings.openGrace_);
    const { book_: book } = this.#chronicle;
    for (const jobId of book.awaitingResult_()) this.#fetches.add_(jobId);
    // A feed that can be resumed tells what was missed, so the list can be asked for at once;
    // otherwise it waits for the socket, so that nothing falls between the two.
    if (book.lastEventId_ !== null) void this.#list.ask_();
    else this.#firstListTimer = setTimeout(() => void this.#list.ask_(), timings.firstList_);
    this.#chronicle.show_();
  }

  #sleep(): void {
    if (!this.#isAwake || !this.#holders.isEmpty_) return;
    this.#isAwake = false;
    this.#stopWatching();
    clearTimeout(this.#firstListTimer);
    clearTimeout(this.#silenceTimer);
    this.#poller.stop_();
    this.#fetches.clear_();
    clearTimeout(this.#downTimer);
    this.#downTimer = undefined;
    this.#line?.close_();
    this.#chronicle.rest_();
  }

  async #connect(): Promise<void> {
    const url = this.#socketUrl ?? (await findSocketUrl(this.#apiUrl));
    try {
      // With socket.io-client, when it is first needed; a server never needs it.
      const { Line } = await import('./line.js');
      if (!this.#isAwake) return;
      this.#line ??= new Line({
        userId: this.userId,
        token_: () => this.#holders.token_(),
        canRenewToken_: () => this.#holders.canRenewToken_,
        lastEventId_: () => this.#chronicle.book_.lastEventId_,
        hear_: (news) => this.#hear(news),
      });
    } catch (error) {
      // No network, or a newer version of the application has taken the file away.
      this.#notLive('code_unavailable', messageIn(error));
      return;
    }
    if (isOffline()) this.#line.hold_();
    else this.#line.retryNow_();
    this.#line.open_(url);
  }

  /** An open connection is kept as long as it lasts; nothing else is tried. */
  #wentOffline(): void {
    this.#line?.hold_();
    this.#chronicle.show_();
  }

  /** The browser would close the socket under us, and leave other tabs waiting for its news. */
  #frozen(): void {
    this.#chronicle.keep_();
    this.#line?.close_();
  }

  #thawed(): void {
    void this.#connect();
    this.#retryNow();
  }

  #retryNow(): void {
    if (this.#line) this.#line.retryNow_();
    else void this.#connect();
    this.#fetches.retryNow_();
    this.#poller.poke_();
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
        this.#chronicle.follow_(this.#chronicle.book_.update_(news.update));
        break;
      case 'resync':
        this.#chronicle.book_.skipTo_(news.id);
        // The place may lie before the stored one, if the server has lost its feeds.
        this.#chronicle.overwrite_();
        void this.#list.ask_();
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
      this.#pollIfStillDown(timings.downGrace_ + (this.#isDraining ? spread() : 0));
    }
    this.#chronicle.show_();
  }

  #startPolling(): void {
    this.#poller.start_(!this.#isListed || this.#isWaiting());
    this.#chronicle.show_();
  }

  #pollIfStillDown(grace: number): void {
    this.#downTimer ??= setTimeout(() => this.#startPolling(), grace);
  }

  #opened(resumed: boolean): void {
    // A place to resume from comes with the first entry; without one, only an answer has what was missed.
    this.#hasMissed ||= this.#wasOpen && this.#chronicle.book_.lastEventId_ === null;
    this.#wasOpen = true;
    this.#isDraining = false;
    clearTimeout(this.#firstListTimer);
    this.#poller.stop_();
    this.#fetches.retryNow_();
    this.#listenForSilence();
    if (!resumed) void this.#list.ask_();
    this.#trouble(null);
  }

  /** Belt and braces: an open socket may be half dead, and a feed may have lost its relay. */
  #listenForSilence(): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      this.#listenForSilence();
      if (this.#isWaiting()) this.#askIfLive();
    }, timings.silence_);
  }

  // --- requests --------------------------------------------------------------------------------

  async #poll(): Promise<PollOutcome> {
    // A fixed token that was refused stays refused.
    const isVain = isOffline() || (this.#isUnauthorized() && !this.#holders.canRenewToken_);
    return isVain ? { changed_: false, waiting_: false } : this.#list.ask_();
  }

  /** Ask for the live jobs, and for what became of those that are no longer among them. */
  async #askForList(): Promise<PollOutcome> {
    const { book_: book } = this.#chronicle;
    const askedAt = book.clock_;
    const hasMissed = this.#hasMissed;
    let list: JobStatusResponse[];
    try {
      list = await this.#api.list();
    } catch (error) {
      this.#failed(error);
      return { changed_: false, waiting_: true };
    }
    this.#succeeded();
    this.#isListed = true;
    const before = JSON.stringify(book.stored_());
    const missing = book.missingFrom_(list, askedAt);
    for (const jobId of missing) this.#fetches.add_(jobId);
    const kind = hasMissed ? 'polled' : this.#answerKind();
    if (hasMissed) this.#hasMissed = false;
    this.#chronicle.follow_(list.flatMap((status) => book.answer_(status, kind, askedAt)));
    const changed = missing.length > 0 || JSON.stringify(book.stored_()) !== before;
    return { changed_: changed, waiting_: this.#isWaiting() };
  }

  /** Nobody asks for what nobody sees, and polling asks anyway. */
  #askForPlaces(): void {
    if (!isHidden()) this.#askIfLive();
  }

  #askIfLive(): void {
    if (this.#line?.state_ === 'open' && !isOffline()) void this.#list.ask_();
  }

  /** Ask for one job until there is an answer. Returns whether to try again later. */
  async #fetch(jobId: string, isCurrent: () => boolean): Promise<boolean> {
    if (this.#isUnauthorized() || isOffline()) return true;
    const { book_: book } = this.#chronicle;
    const askedAt = book.clock_;
    try {
      const status = await this.#api.status(jobId);
      if (!isCurrent()) return false;
      this.#succeeded();
      this.#chronicle.follow_(book.answer_(status, this.#answerKind(), askedAt));
    } catch (error) {
      if (!isCurrent()) return false;
      if (!(error instanceof JobsApiError) || error.status !== 404) {
        this.#failed(error);
        return true;
      }
      this.#chronicle.follow_(book.gone_(jobId));
    }
    return book.isFinishing_(jobId);
  }

  #isWaiting(): boolean {
    return this.#chronicle.book_.live_().length > 0;
  }

  /** While polling, answers are all the news there is; otherwise the feed tells the same, in order. */
  #answerKind(): AnswerKind {
    return this.#poller.isRunning_ ? 'polled' : 'asked';
  }

  // --- what keeps updates from coming ----------------------------------------------------------

  #trouble(problem: JobsApiError | null): void {
    this.#problem = problem;
    this.#chronicle.show_();
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
    if (this.#line?.state_ === 'refused' && !wasUnauthorized) return;
    if (wasUnauthorized) this.#line?.retryNow_();
    this.#trouble(null);
  }

  #isUnauthorized(): boolean {
    return this.#problem?.status === 401;
  }

  #status(): ConnectionStatus {
    if (!this.#isAwake) return 'idle';
    if (this.#line?.state_ === 'open') return 'live';
    if (isOffline()) return 'offline';
    if (this.#isUnauthorized()) return 'unauthorized';
    return this.#poller.isRunning_ ? 'polling' : 'connecting';
  }
}
