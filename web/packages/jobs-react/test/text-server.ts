/** A small server of one job's text: the read side of Durable Streams, steered by hand. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { onTestFinished } from 'vitest';

interface Refusal {
  readonly status: number;
  readonly code: string;
}

export class TextServer {
  readonly jobId = 'user-1:story:1:abcdefghijkl';
  readonly tokens: (string | undefined)[] = [];
  /** Refuses a request; null takes it. */
  refuses: (token: string | undefined) => Refusal | null = () => null;
  #text = '';
  #attempt = 1;
  #isEnded = false;
  readonly #open = new Map<ServerResponse, number>();
  readonly #http: Server;

  static async start(): Promise<TextServer> {
    const server = new TextServer();
    await new Promise<void>((resolve) => void server.#http.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.#http.closeAllConnections();
      server.#http.close();
    });
    return server;
  }

  constructor() {
    this.#http = createServer((request, response) => this.#serve(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#open.size;
  }

  write(text: string): void {
    this.#text += text;
    this.#tell();
  }

  end(): void {
    this.#isEnded = true;
    this.#tell();
  }

  /** Another attempt: the text begins anew, and streams of the former one end. */
  beginAnew(): void {
    this.#attempt += 1;
    this.#text = '';
    for (const response of this.#open.keys()) response.end();
    this.#open.clear();
  }

  /** Cut every connection, in the middle of what it would have said next. */
  cut(text: string): void {
    for (const response of this.#open.keys()) {
      response.write(`event: data\ndata:${text}`, () => response.destroy());
    }
    this.#open.clear();
    this.#text += text;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', this.url);
    const token = request.headers.authorization?.replace('Bearer ', '');
    this.tokens.push(token);
    const offset = url.searchParams.get('offset') ?? '';
    const [attempt = '', place = ''] = offset === '-1' ? [String(this.#attempt), '0'] : offset.split('_');
    const isMine = url.pathname === `/api/jobs/${encodeURIComponent(this.jobId)}/stream`;
    let refusal = isMine ? this.refuses(token) : { status: 404, code: 'job-not-found' };
    if (refusal === null && Number(attempt) !== this.#attempt) refusal = { status: 410, code: 'text-gone' };
    if (refusal !== null) {
      response.writeHead(refusal.status, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ type: `/problems/${refusal.code}`, title: 'No', status: refusal.status }));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.#open.set(response, Number(place));
    response.on('close', () => this.#open.delete(response));
    response.write(': ping\n\n');
    this.#say(response);
  }

  #tell(): void {
    for (const response of this.#open.keys()) this.#say(response);
  }

  #say(response: ServerResponse): void {
    const news = this.#text.slice(this.#open.get(response));
    this.#open.set(response, this.#text.length);
    const lines = news.split('\n').map((line) => (line.startsWith(' ') ? `data: ${line}` : `data:${line}`));
    const control = { streamNextOffset: `${this.#attempt}_${this.#text.length}`, upToDate: true };
    const ending = this.#isEnded ? { streamClosed: true } : { streamCursor: '1' };
    const data = news === '' ? '' : `event: data\n${lines.join('\n')}\n\n`;
    response.write(`${data}event: control\ndata:${JSON.stringify({ ...control, ...ending })}\n\n`);
    if (this.#isEnded) response.end();
  }
}
