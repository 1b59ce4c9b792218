import { jittered } from './backoff.js';
import { isHidden } from './page-life.js';
import { createTimer } from './timer.js';
import { timings } from './timings.js';

/** What a poll found: whether anything had changed, and whether there is anything to wait for. */
export interface PollOutcome {
  readonly changed_: boolean;
  readonly isWaiting_: boolean;
}

/**
 * Asks again and again while it is started: soon after a change, ever slower while nothing
 * happens, and rarely while nothing is awaited or nobody is looking.
 */
export function createPoller(poll: () => Promise<PollOutcome>) {
  const next = createTimer(() => void ask());
  let isRunning = false;
  let isAsking = false;
  let interval = timings.pollMin_;

  /** Something is expected: ask now, and be quick again. */
  function poke_(): void {
    interval = timings.pollMin_;
    if (isRunning) next.restart_(0);
  }

  async function ask(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    const { changed_, isWaiting_ } = await poll();
    isAsking = false;
    if (!isRunning) return;
    interval = changed_ ? timings.pollMin_ : Math.min(timings.pollMax_, interval * 1.5);
    next.restart_(jittered(isWaiting_ && !isHidden() ? interval : timings.pollIdle_));
  }

  return {
    get isRunning_() {
      return isRunning;
    },

    /**
     * Start: with a first question at once where something is awaited, else at some time of the
     * resting interval. Starting twice is fine.
     */
    start_(isAwaiting: boolean): void {
      if (isRunning) return;
      isRunning = true;
      interval = timings.pollMin_;
      next.restart_(isAwaiting ? 0 : Math.random() * timings.pollIdle_);
    },

    stop_(): void {
      isRunning = false;
      next.stop_();
    },

    poke_,
  };
}
