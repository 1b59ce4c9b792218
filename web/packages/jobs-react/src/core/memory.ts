import type { JobBook } from './book.js';
import { loadState, replaceState, saveState, type StoredState } from './storage.js';
import { timings } from './timings.js';

/** Brings a book back from storage, and stores what becomes of it. */
export class Memory {
  readonly #userId: string;
  readonly #book: JobBook;
  #isRestored = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(userId: string, book: JobBook) {
    this.#userId = userId;
    this.#book = book;
  }

  /** Once, and before anything is written into the book. */
  restore(): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    const { jobs, lastEventId } = loadState(this.#userId);
    this.#book.restore(jobs, lastEventId);
  }

  /** Store a change together with what else changes until then. */
  keepSoon(): void {
    this.#timer ??= setTimeout(() => this.keep(), timings.persist);
  }

  keep(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isRestored) saveState(this.#userId, this.#state());
  }

  /** Store the book as it is, whatever other tabs have stored. */
  overwrite(): void {
    replaceState(this.#userId, this.#state());
  }

  #state(): StoredState {
    return { jobs: this.#book.stored(), lastEventId: this.#book.lastEventId };
  }
}
