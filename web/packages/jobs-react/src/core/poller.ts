import { jittered } from './backoff.js';
import { isHidden } from './page-life.js';
import { timings } from './timings.js';

/** What a poll found: whether anything had changed, and whether there is anything to wait for. */
export interface PollOutcome {
  readonly changed_: boolean;
  readonly waiting_: boolean;
}

/**
 * Asks again and again while it is started: soon after a change, ever slower while nothing
 * happens, and rarely while nothing is awaited or nobody is looking.
 */
export function createPoller(poll: () => Promise<PollOutcome>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isAsking = false;
  let interval = timings.pollMin_;

  /** Something is expected: ask now, and be quick again. */
  function poke_(): void {
    interval = timings.pollMin_;
    if (isRunning) askIn(0);
  }

  function askIn(wait: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), wait);
  }

  async function ask(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    const { changed_, waiting_ } = await poll();
    isAsking = false;
    if (!isRunning) return;
    interval = changed_ ? timings.pollMin_ : Math.min(timings.pollMax_, interval * 1.5);
    askIn(jittered(waiting_ && !isHidden() ? interval : timings.pollIdle_));
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
      askIn(isAwaiting ? 0 : Math.random() * timings.pollIdle_);
    },

    stop_(): void {
      isRunning = false;
      clearTimeout(timer);
    },

    poke_,
  };
}
