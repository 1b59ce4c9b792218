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
export class Poller {
  readonly #poll: () => Promise<PollOutcome>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRunning = false;
  #isAsking = false;
  #interval = timings.pollMin_;

  constructor(poll: () => Promise<PollOutcome>) {
    this.#poll = poll;
  }

  get isRunning_(): boolean {
    return this.#isRunning;
  }

  /**
   * Start: with a first question at once where something is awaited, else at some time of the
   * resting interval. Starting twice is fine.
   */
  start_(isAwaiting: boolean): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    if (isAwaiting) this.poke_();
    else this.#timer = setTimeout(() => void this.#ask(), Math.random() * timings.pollIdle_);
  }

  stop_(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** Something is expected: ask now, and be quick again. */
  poke_(): void {
    if (!this.#isRunning) return;
    this.#interval = timings.pollMin_;
    clearTimeout(this.#timer);
    void this.#ask();
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { changed_: changed, waiting_: waiting } = await this.#poll();
    this.#isAsking = false;
    if (!this.#isRunning) return;
    this.#interval = changed ? timings.pollMin_ : Math.min(timings.pollMax_, this.#interval * 1.5);
    const isResting = !waiting || isHidden();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), jittered(isResting ? timings.pollIdle_ : this.#interval));
  }
}
