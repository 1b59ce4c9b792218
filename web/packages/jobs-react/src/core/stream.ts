/** The text that a job writes, followed word by word: the read side of Durable Streams. */

import { answerOf, bearerOf, introduction, jobPath, obtain, unreachable, withoutSlash } from './api.js';
import { backoff } from './backoff.js';
import { JobsApiError } from './errors.js';
import { shared } from './shared.js';
import { createTimer } from './timer.js';
import { timings } from './timings.js';
import type { AuthToken } from './types.js';
import { fieldsOf, textOf, type Fields } from './wire.js';

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
  declare readonly getSnapshot: () => JobText;
  declare readonly subscribe: (listener: () => void) => () => void;
  /** The token to use from now on. A new string is tried where the last one was refused. */
  declare readonly use: (token: AuthToken | undefined) => void;

  constructor(options: JobStreamOptions, onIdle: () => void = () => undefined) {
    Object.assign(this, followText(options, onIdle));
  }
}

function followText({ apiUrl = '', userId, jobId }: JobStreamOptions, onIdle: () => void): JobStream {
  const listeners = new Set<() => void>();
  const url = `${withoutSlash(apiUrl)}${jobPath(jobId)}/stream?live=sse&offset=`;
  let snapshot = NO_TEXT;
  let offset = BEGINNING;
  let latestToken: AuthToken | undefined;
  let reading: AbortController | null = null;
  const linger = createTimer(() => {
    reading?.abort();
    reading = null;
    change({ isLive: false });
    onIdle();
  });

  function start(): void {
    if (reading || snapshot.isEnded) return;
    const ours = (reading = new AbortController());
    void run(ours.signal).finally(() => {
      if (reading === ours) reading = null;
    });
  }

  /** Reads until the text ends, the stream is stopped, or the server refuses for good. */
  async function run(signal: AbortSignal): Promise<void> {
    let goOn = (): void => undefined;
    const wake = (): void => goOn();
    signal.addEventListener('abort', wake);
    globalThis.addEventListener?.('online', wake, { signal });

    for (let failures = 0; !signal.aborted && !snapshot.isEnded; failures += 1) {
      const before = offset;
      try {
        await listen(await obtain(bearerOf(latestToken)), signal);
      } catch (error) {
        if (signal.aborted) return;
        const problem = error instanceof JobsApiError ? error : unreachable(error);
        if (problem.status === 410) {
          offset = BEGINNING;
          change({ text: '', isLive: false });
        } else {
          change({ isLive: false, error: problem });
          // A function may have another token the next time; a fixed one that was refused stays refused.
          const mayRenew = problem.status === 401 && typeof latestToken === 'function';
          if (!mayRenew && !problem.isTemporary) return;
        }
      }
      if (offset !== before) {
        failures = -1;
      } else if (!signal.aborted) {
        await new Promise<void>((resolve) => {
          goOn = resolve;
          setTimeout(resolve, backoff(failures));
        });
      }
    }
  }

  async function listen(bearer: string | null, signal: AbortSignal): Promise<void> {
    // A connection that is dead without a word is given up: a live one tells something every 15 s.
    const silence = new AbortController();
    const patience = createTimer(() => silence.abort());
    patience.start_(timings.silence_);
    try {
      const response = await fetch(url + encodeURIComponent(offset), {
        headers: { ...introduction(userId, bearer), accept: 'text/event-stream' },
        cache: 'no-store',
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (!response.ok || !response.body) answerOf(response, await response.text());
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
            take(data, fieldsOf(JSON.parse(content)));
            data = '';
          }
        }
      }
    } finally {
      patience.stop_();
      if (!signal.aborted) change({ isLive: false });
    }
  }

  /** Text counts once its place is known: only so is nothing lost or doubled by a break. */
  function take(data: string, { streamNextOffset, streamClosed }: Fields): void {
    const next = textOf(streamNextOffset);
    if (next === null) return;
    offset = next;
    const isEnded = streamClosed === true;
    change({ text: snapshot.text + data, isEnded, isLive: !isEnded, error: null });
  }

  function change(what: Partial<JobText>): void {
    if (Object.entries(what).every(([name, value]) => snapshot[name as keyof JobText] === value)) return;
    snapshot = { ...snapshot, ...what };
    for (const listener of listeners) listener();
  }

  return {
    getSnapshot: () => snapshot,

    subscribe(listener) {
      listeners.add(listener);
      linger.stop_();
      start();
      return () => {
        listeners.delete(listener);
        if (!listeners.size) linger.restart_(timings.linger_);
      };
    },

    use(token) {
      const isNews = typeof token === 'string' && token !== latestToken;
      latestToken = token;
      if (isNews && listeners.size) start();
    },
  };
}

const streams = new Map<string, JobStream>();

/** The one stream of this page for a job. */
export function sharedStream(options: JobStreamOptions): JobStream {
  const { apiUrl, userId, jobId } = options;
  return shared(streams, [apiUrl ?? '', userId, jobId], (forget) => followText(options, forget));
}

/** The data of a server-sent event. */
function contentOf(event: string): string {
  const lines = event.split('\n').filter((line) => line.startsWith('data:'));
  return lines.map((line) => line.replace(/^data: ?/, '')).join('\n');
}
