import type { ConnectionHandlers, ConnectionState } from './connection.js';
import type { Line } from './line.js';

/**
 * A `Line` whose code, socket.io-client included, is loaded when it is first opened: a page begins
 * without it, and a server never needs it.
 */
export class LazyLine {
  readonly #handlers: ConnectionHandlers;
  #line: Line | null = null;
  #url: string | null = null;
  #isHeld = false;

  constructor(handlers: ConnectionHandlers) {
    this.#handlers = handlers;
  }

  get state(): ConnectionState {
    return this.#line?.state ?? (this.#url === null ? 'closed' : 'connecting');
  }

  get failures(): number {
    return this.#line?.failures ?? 0;
  }

  open(url: string): void {
    this.#url = url;
    void this.#open(url);
  }

  close(): void {
    this.#url = null;
    this.#line?.close();
  }

  hold(): void {
    this.#isHeld = true;
    this.#line?.hold();
  }

  retryNow(): void {
    this.#isHeld = false;
    if (this.#line !== null) this.#line.retryNow();
    else if (this.#url !== null) void this.#open(this.#url);
  }

  async tokenChanged(): Promise<void> {
    await this.#line?.tokenChanged();
  }

  async #open(url: string): Promise<void> {
    let code: typeof import('./line.js');
    try {
      code = await import('./line.js');
    } catch (error) {
      // No network, or a newer version of the application has taken the file away.
      this.#handlers.onError('code_unavailable', error instanceof Error ? error.message : String(error));
      return;
    }
    if (url !== this.#url) return;
    this.#line ??= new code.Line(this.#handlers);
    if (this.#isHeld) this.#line.hold();
    this.#line.open(url);
  }
}
