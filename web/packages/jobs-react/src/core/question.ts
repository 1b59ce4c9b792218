/**
 * A question that is asked one at a time. Who asks while an answer is on its way shares that, and
 * has it asked once more afterwards, since it may be too old.
 */
export class Question<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #mayRepeat: () => boolean;
  #answer: Promise<Answer> | null = null;
  #isStale = false;

  constructor(ask: () => Promise<Answer>, mayRepeat: () => boolean) {
    this.#ask = ask;
    this.#mayRepeat = mayRepeat;
  }

  ask_(): Promise<Answer> {
    if (this.#answer !== null) {
      this.#isStale = true;
      return this.#answer;
    }
    this.#answer = this.#ask().finally(() => {
      this.#answer = null;
      if (!this.#isStale || !this.#mayRepeat()) return;
      this.#isStale = false;
      void this.ask_();
    });
    return this.#answer;
  }
}
