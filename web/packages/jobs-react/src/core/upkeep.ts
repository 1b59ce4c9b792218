/**
 * Keeps a chronicle up to date, as long as somebody holds on to it: by the line, which tells what
 * happens, and by requests for what was missed. It goes on for a moment after the last holder has
 * left, so that a remount finds everything as it was.
 */

import { bearerOf, createApi, withoutSlash } from './api.js';
import { spread } from './backoff.js';
import type { AnswerKind } from './book.js';
import { createChronicle } from './chronicle.js';
import type { ConnectionState, News } from './connection.js';
import { JobsApiError, localProblem } from './errors.js';
import { createFetchQueue } from './fetch-queue.js';
import { createLine } from './line.js';
import { isHidden, isOffline, watchPage } from './page-life.js';
import { createPlaceWatch } from './place-watch.js';
import { createPoller, type PollOutcome } from './poller.js';
import { createQuestion } from './question.js';
import { findSocketUrl } from './socket-url.js';
import { createTimer } from './timer.js';
import { timings } from './timings.js';
import type { AuthToken, ConnectionStatus, JobStatusResponse } from './types.js';

export interface JobsClientOptions {
  readonly userId: string;
  /** Where the API lives, without `/api`. Default: the page's own origin. */
  readonly apiUrl?: string | undefined;
  /** Where the Socket.IO gateway lives. Default: as the API says, else port 3001 of its host. */
  readonly socketUrl?: string | undefined;
}

/** What says which token to use; undefined where somebody else should. */
export type TokenSource = () => AuthToken | undefined;

const SOCKET_TRIES = 3;

export function createUpkeep({ userId, apiUrl = '', socketUrl }: JobsClientOptions) {
  const origin = withoutSlash(apiUrl);
  /** Who keeps us awake. */
  const holders = new Set<TokenSource>();
  /** The token of whoever came last and has one. */
  const latestToken = (): AuthToken | undefined =>
    [...holders].map((token) => token()).findLast((token) => token !== undefined);
  const token_ = (): Promise<string | null> => bearerOf(latestToken());
  /** Whether asking again may give another token. */
  const canRenewToken_ = (): boolean => typeof latestToken() === 'function';

  let isAwake = false;
  let wasOpen = false;
  let hasMissed = false;
  let problem: JobsApiError | null = null;
  /** The server's list has been seen since we woke. */
  let isListed = false;
  let isDraining = false;
  let stopWatching: (() => void) | undefined;

  const api_ = createApi({ apiUrl: origin, userId, token: token_ });
  const chronicle_ = createChronicle(
    userId,
    () => ({ status: status(), error: problem }),
    (jobId) => fetches_.add_(jobId),
  );
  const book = chronicle_.book_;
  const line = createLine({ userId, token_, canRenewToken_, lastEventId_: () => book.lastEventId_, hear_: hear });
  const poller_ = createPoller(poll);
  const fetches_ = createFetchQueue(fetch);
  const askForList_ = createQuestion(askForList, () => isAwake && !isOffline());
  // Nobody asks for what nobody sees.
  const places = createPlaceWatch(() => isHidden() || askIfLive());
  chronicle_.subscribe_(() => places.look_(isAwake ? chronicle_.snapshot_.jobs : []));

  const linger = createTimer(sleep);
  const firstList = createTimer(askForList_);
  const stillDown = createTimer(startPolling);
  /** Belt and braces: an open socket may be half dead, and a feed may have lost its relay. */
  const silence = createTimer(() => {
    silence.start_(timings.silence_);
    if (book.isWaiting_()) askIfLive();
  });

  // --- waking and sleeping ---------------------------------------------------------------------

  function wake(): void {
    if (isAwake) return;
    isAwake = true;
    chronicle_.restore_();
    wasOpen = hasMissed = isListed = false;
    problem = null;
    stopWatching = watchPage({
      online: () => retryNow(),
      // An open connection is kept as long as it lasts; nothing else is tried.
      offline: () => {
        line.hold_();
        chronicle_.show_();
      },
      shown: () => {
        poller_.poke_();
        places.refresh_();
      },
      hidden: () => chronicle_.keep_(),
      // The browser would close the socket under us, and leave other tabs waiting for its news.
      frozen: () => {
        chronicle_.keep_();
        line.stop_();
      },
      thawed: () => thawed(),
    });
    void connect();
    stillDown.start_(timings.openGrace_);
    book.awaitingResult_().forEach(fetches_.add_);
    // A feed that can be resumed tells what was missed, so the list can be asked for at once;
    // otherwise it waits for the socket, so that nothing falls between the two.
    if (book.lastEventId_) void askForList_();
    else firstList.start_(timings.firstList_);
    chronicle_.show_();
  }

  function sleep(): void {
    if (!isAwake || holders.size) return;
    isAwake = false;
    stopWatching?.();
    for (const part of [firstList, silence, stillDown, poller_, fetches_, line]) part.stop_();
    chronicle_.flush_();
  }

  async function connect(): Promise<void> {
    const url = socketUrl ?? (await findSocketUrl(origin));
    if (!isAwake) return;
    if (isOffline()) line.hold_();
    else line.retryNow_();
    line.start_(url);
  }

  function thawed(): void {
    void connect();
    retryNow();
  }

  function retryNow(): void {
    line.retryNow_();
    fetches_.retryNow_();
    poller_.poke_();
    trouble(null);
  }

  // --- the line --------------------------------------------------------------------------------

  function hear(news: News): void {
    switch (news.kind) {
      case 'state':
        return connectionIs(news.state, news.failures);
      case 'open':
        return opened(news.resumed);
      case 'update':
        silence.restart_(timings.silence_);
        return chronicle_.follow_(book.update_(news.update));
      case 'resync':
        book.skipTo_(news.id);
        // The place may lie before the stored one, if the server has lost its feeds.
        chronicle_.overwrite_();
        return void askForList_();
      case 'error':
        return trouble(localProblem(news.code, 'Live updates are not available.', news.message));
      case 'draining':
        isDraining = true;
    }
  }

  function connectionIs(state: ConnectionState, failures: number): void {
    if (state === 'open' || state === 'closed') stillDown.stop_();
    else if (state === 'refused' || (!wasOpen && failures >= SOCKET_TRIES)) startPolling();
    // Who was told to go with everybody else does not ask together with everybody else either.
    else if (wasOpen) stillDown.start_(timings.downGrace_ + (isDraining ? spread() : 0));
    chronicle_.show_();
  }

  function startPolling(): void {
    poller_.start_(!isListed || book.isWaiting_());
    chronicle_.show_();
  }

  function opened(resumed: boolean): void {
    // A place to resume from comes with the first entry; without one, only an answer has what was missed.
    hasMissed ||= wasOpen && !book.lastEventId_;
    wasOpen = true;
    isDraining = false;
    firstList.stop_();
    poller_.stop_();
    fetches_.retryNow_();
    silence.restart_(timings.silence_);
    if (!resumed) void askForList_();
    trouble(null);
  }

  // --- requests --------------------------------------------------------------------------------

  async function poll(): Promise<PollOutcome> {
    // A fixed token that was refused stays refused.
    const isVain = isOffline() || (isUnauthorized() && !canRenewToken_());
    return isVain ? { changed_: false, isWaiting_: false } : askForList_();
  }

  /** Ask for the live jobs, and for what became of those that are no longer among them. */
  async function askForList(): Promise<PollOutcome> {
    const askedAt = book.clock_;
    const isAfterGap = hasMissed;
    let list: JobStatusResponse[];
    try {
      list = await api_.list();
    } catch (error) {
      failed(error);
      return { changed_: false, isWaiting_: true };
    }
    succeeded();
    isListed = true;
    const before = JSON.stringify(book.stored_());
    const missing = book.missingFrom_(list, askedAt);
    missing.forEach(fetches_.add_);
    const kind = isAfterGap ? 'polled' : answerKind_();
    if (isAfterGap) hasMissed = false;
    chronicle_.follow_(list.flatMap((status) => book.answer_(status, kind, askedAt)));
    const changed_ = missing.length > 0 || JSON.stringify(book.stored_()) !== before;
    return { changed_, isWaiting_: book.isWaiting_() };
  }

  /** While there is no open socket, polling asks anyway. */
  function askIfLive(): void {
    if (line.state_ === 'open' && !isOffline()) void askForList_();
  }

  /** Ask for one job until there is an answer. Returns whether to try again later. */
  async function fetch(jobId: string, isCurrent: () => boolean): Promise<boolean> {
    if (isUnauthorized() || isOffline()) return true;
    const askedAt = book.clock_;
    try {
      const answer = await api_.status(jobId);
      if (!isCurrent()) return false;
      succeeded();
      chronicle_.follow_(book.answer_(answer, answerKind_(), askedAt));
    } catch (error) {
      if (!isCurrent()) return false;
      if (!(error instanceof JobsApiError) || error.status !== 404) {
        failed(error);
        return true;
      }
      chronicle_.follow_(book.gone_(jobId));
    }
    return book.isFinishing_(jobId);
  }

  /** While polling, answers are all the news there is; otherwise the feed tells the same, in order. */
  function answerKind_(): AnswerKind {
    return poller_.isRunning_ ? 'polled' : 'asked';
  }

  // --- what keeps updates from coming ----------------------------------------------------------

  function trouble(what: JobsApiError | null): void {
    problem = what;
    chronicle_.show_();
  }

  function failed(error: unknown): void {
    if (!(error instanceof JobsApiError)) throw error;
    trouble(error);
  }

  function succeeded(): void {
    if (isUnauthorized()) line.retryNow_();
    else if (line.state_ === 'refused') return;
    trouble(null);
  }

  function isUnauthorized(): boolean {
    return problem?.status === 401;
  }

  function status(): ConnectionStatus {
    if (!isAwake) return 'idle';
    if (line.state_ === 'open') return 'live';
    if (isOffline()) return 'offline';
    if (isUnauthorized()) return 'unauthorized';
    return poller_.isRunning_ ? 'polling' : 'connecting';
  }

  return {
    api_,
    chronicle_,
    poller_,
    fetches_,
    askForList_,
    answerKind_,

    /** Keep everything up to date until the returned function is called. */
    retain_(token: TokenSource = () => undefined): () => void {
      // Another function each time, since one source may hold on to it more than once.
      const holder = (): AuthToken | undefined => token();
      holders.add(holder);
      linger.stop_();
      wake();
      return () => {
        if (holders.delete(holder) && !holders.size) linger.start_(timings.linger_);
      };
    },

    /** A token that was given to `retain` has changed: use it now. */
    tokenChanged_(): void {
      if (!isAwake) return;
      void line.tokenChanged_();
      const { state_: state } = line;
      if (state !== 'open' && (isUnauthorized() || state === 'refused')) retryNow();
    },
  };
}
