/** The text that a job writes, followed word by word: the read side of Durable Streams. */

import { answerOf, bearerOf, introduction, jobPath, obtain, unreachable, withoutSlash } from './api.js';
import { backoff } from './backoff.js';
import { JobsApiError } from './errors.js';
import { shared } from './shared.js';
import { createTimer } from './timer.js';
import { timings } from './timings.js';
import type { AuthToken } from './types.js';
import { fieldsOf, textOf } from './wire.js';

const BEGINNING = '-1';

export interface JobText {
  /** All that is known of the text. Begun anew when the job is tried again. */
  readonly text: string;
  /** Whether words come as they are written. */
  readonly isLive: boolean;
  /** The job has ended, and the text with it. */
  readonly isEnded: boolean;
  /** What keeps the text from coming, while something does. */
  readonly error: JobsApiError | null;
}

export interface JobStreamOptions {
  readonly userId: string;
  readonly jobId: string;
  /** Where the API lives, without `/api`. Default: the page's own origin. */
  readonly apiUrl?: string | undefined;
}

export const NO_TEXT: JobText = { text: '', isLive: false, isEnded: false, error: null };

/** Follows one job's text as long as somebody listens, and a moment longer. */
export class JobStream {
  readonly #options: JobStreamOptions;
  readonly #listeners = new Set<() => void>();
  readonly #onIdle: () => void;
  #snapshot = NO_TEXT;
  #offset = BEGINNING;
  #token: AuthToken | undefined;
  #reading: AbortController | null = null;
  readonly #linger = createTimer(() => {
    this.#stop();
    this.#onIdle();
  });

  constructor(options: JobStreamOptions, onIdle: () => void = () => undefined) {
    this.#options = options;
    this.#onIdle = onIdle;
  }

  readonly getSnapshot = (): JobText => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#linger.stop_();
    this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (!this.#listeners.size) this.#linger.restart_(timings.linger_);
    };
  };

  /** The token to use from now on. A new string is tried where the last one was refused. */
  use(token: AuthToken | undefined): void {
    const isNews = typeof token === 'string' && token !== this.#token;
    this.#token = token;
    if (isNews && this.#listeners.size > 0) this.#start();
  }

  #start(): void {
    if (this.#reading !== null || this.#snapshot.isEnded) return;
    const reading = new AbortController();
    this.#reading = reading;
    void this.#run(reading.signal).finally(() => {
      if (this.#reading === reading) this.#reading = null;
    });
  }

  #stop(): void {
    this.#reading?.abort();
    this.#reading = null;
    this.#change({ isLive: false });
  }

  /** Reads until the text ends, the stream is stopped, or the server refuses for good. */
  async #run(signal: AbortSignal): Promise<void> {
    let goOn = (): void => undefined;
    const wake = (): void => goOn();
    signal.addEventListener('abort', wake);
    globalThis.addEventListener?.('online', wake, { signal });

    for (let failures = 0; !signal.aborted && !this.#snapshot.isEnded; failures += 1) {
      const before = this.#offset;
      try {
        await this.#listen(await obtain(bearerOf(this.#token)), signal);
      } catch (error) {
        if (signal.aborted) return;
        const problem = error instanceof JobsApiError ? error : unreachable(error);
        if (problem.status === 410) {
          this.#offset = BEGINNING;
          this.#change({ text: '', isLive: false });
        } else {
          this.#change({ isLive: false, error: problem });
          // A function may have another token the next time; a fixed one that was refused stays refused.
          const mayRenew = problem.status === 401 && typeof this.#token === 'function';
          if (!mayRenew && !problem.isTemporary) return;
        }
      }
      if (this.#offset !== before) {
        failures = -1;
      } else if (!signal.aborted) {
        await new Promise<void>((resolve) => {
          goOn = resolve;
          setTimeout(resolve, backoff(failures));
        });
      }
    }
  }

  async #listen(bearer: string | null, signal: AbortSignal): Promise<void> {
    const { apiUrl = '', userId, jobId } = this.#options;
    const headers = { ...introduction(userId, bearer), accept: 'text/event-stream' };
    const url = `${withoutSlash(apiUrl)}${jobPath(jobId)}/stream?live=sse&offset=${encodeURIComponent(this.#offset)}`;

    // A connection that is dead without a word is given up: a live one tells something every 15 s.
    const silence = new AbortController();
    const patience = createTimer(() => silence.abort());
    patience.start_(timings.silence_);
    try {
      const response = await fetch(url, {
        headers,
        cache: 'no-store',
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (!response.ok || response.body === null) answerOf(response, await response.text());
      const reader = (response.body as ReadableStream<BufferSource>)
        .pipeThrough(new TextDecoderStream('utf-8', { ignoreBOM: true }))
        .getReader();
      let rest = '';
      let data = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done || signal.aborted) return;
        patience.restart_(timings.silence_);
        const events = (rest + value).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
          const content = contentOf(event);
          if (event.startsWith('event: data')) {
            data = content;
          } else if (event.startsWith('event: control')) {
            this.#take(data, JSON.parse(content));
            data = '';
          }
        }
      }
    } finally {
      patience.stop_();
      if (!signal.aborted) this.#change({ isLive: false });
    }
  }

  /** Text counts once its place is known: only so is nothing lost or doubled by a break. */
  #take(data: string, control: unknown): void {
    const { streamNextOffset, streamClosed } = fieldsOf(control);
    const offset = textOf(streamNextOffset);
    if (offset === null) return;
    this.#offset = offset;
    const isEnded = streamClosed === true;
    this.#change({ text: this.#snapshot.text + data, isEnded, isLive: !isEnded, error: null });
  }

  #change(change: Partial<JobText>): void {
    const before = this.#snapshot;
    if (Object.entries(change).every(([key, value]) => before[key as keyof JobText] === value)) return;
    this.#snapshot = { ...before, ...change };
    for (const listener of this.#listeners) listener();
  }
}

const streams = new Map<string, JobStream>();

/** The one stream of this page for a job. */
export function sharedStream(options: JobStreamOptions): JobStream {
  const { apiUrl, userId, jobId } = options;
  return shared(streams, [apiUrl ?? '', userId, jobId], (forget) => new JobStream(options, forget));
}

/** The data of a server-sent event. */
function contentOf(event: string): string {
  const lines = event.split('\n').filter((line) => line.startsWith('data:'));
  return lines.map((line) => line.replace(/^data: ?/, '')).join('\n');
}
