/**
 * A small server that speaks the contract: the API over HTTP and the gateway over Socket.IO, each
 * on its own port, over one set of jobs and one feed per user. Tests steer the jobs by hand.
 */

import { randomInt } from 'node:crypto';
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';

import { Server as SocketServer, type Socket } from 'socket.io';

import type { JobProgress, JobStatusResponse, JobUpdate } from '../src/core/types.js';

export interface RecordedRequest {
  readonly method: string;
  /** As it stood on the wire. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface RecordedHandshake {
  readonly token?: string;
  readonly userId?: string;
  readonly lastEventId?: string;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const LISTEN_ATTEMPTS = 100;

let backends = 0;

export class Backend {
  /** A user of this test alone: a page that another test has left may still be putting its jobs away. */
  readonly user = `user-${(backends += 1)}`;
  readonly requests: RecordedRequest[] = [];
  readonly handshakes: RecordedHandshake[] = [];
  readonly renewals: string[] = [];
  /** Which tokens are taken; all, unless a test says otherwise. */
  accepts: (token: string | undefined) => boolean = () => true;
  /** Answers a request in the server's stead; null leaves it to the server. */
  intercept: (request: RecordedRequest) => Answer | 'drop' | null | Promise<Answer | 'drop' | null> = () => null;

  readonly #jobs = new Map<string, Mutable<JobStatusResponse>>();
  readonly #owners = new Map<string, string>();
  readonly #feed: { readonly owner: string; readonly update: JobUpdate }[] = [];
  #http: HttpServer | null = null;
  #gateway: { readonly http: HttpServer; readonly io: SocketServer } | null = null;
  #apiPort = 0;
  #gatewayPort = 0;
  #count = 0;
  #losesNext = false;

  static async start(): Promise<Backend> {
    const backend = new Backend();
    await backend.#startApi();
    await backend.startGateway();
    return backend;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  get socketUrl(): string {
    return `http://127.0.0.1:${this.#gatewayPort}`;
  }

  get openSockets(): number {
    return this.#gateway?.io.of('/').sockets.size ?? 0;
  }

  requestsTo(method: string, path: RegExp): RecordedRequest[] {
    return this.requests.filter((request) => request.method === method && path.test(request.path));
  }

  // --- jobs ------------------------------------------------------------------------------------

  create(owner: string, type = 'resume-optimization'): string {
    this.#count += 1;
    const createdAt = Date.now();
    const jobId = `${encodeURIComponent(owner)}:${type}:${createdAt}:test-random-${this.#count}`;
    this.#jobs.set(jobId, { jobId, type, status: 'queued', createdAt, attemptsMade: 0, maxAttempts: 3 });
    this.#owners.set(jobId, owner);
    this.#tell(jobId, { event: 'queued', status: 'queued' });
    return jobId;
  }

  /** Give a job a place in line, which nobody is told of. */
  place(jobId: string, position: number, estimatedWaitMs: number | null): void {
    this.#job(jobId).queue = { position, estimatedWaitMs };
  }

  begin(jobId: string): void {
    Object.assign(this.#job(jobId), { status: 'processing', startedAt: Date.now() });
    this.#tell(jobId, { event: 'processing', status: 'processing' });
  }

  progress(jobId: string, percent: number, message = `at ${percent}`): void {
    const progress: JobProgress = { percent, message, step: null, data: null };
    Object.assign(this.#job(jobId), { status: 'processing', progress });
    this.#tell(jobId, { event: 'progress', status: 'processing', progress });
  }

  complete(jobId: string, result: unknown): void {
    Object.assign(this.#job(jobId), { status: 'completed', result, completedAt: Date.now() });
    this.#tell(jobId, { event: 'completed', status: 'completed' });
  }

  fail(jobId: string, error: string, errorCode: string): void {
    Object.assign(this.#job(jobId), { status: 'failed', error, errorCode, completedAt: Date.now() });
    this.#tell(jobId, { event: 'failed', status: 'failed', error, errorCode });
  }

  retry(jobId: string, attemptsMade: number): void {
    Object.assign(this.#job(jobId), { status: 'queued', retrying: true, attemptsMade, progress: null });
    this.#tell(jobId, { event: 'retrying', status: 'queued', attemptsMade });
  }

  cancelled(jobId: string): void {
    Object.assign(this.#job(jobId), { status: 'cancelled', completedAt: Date.now() });
    this.#tell(jobId, { event: 'cancelled', status: 'cancelled' });
  }

  /** As if Redis had lost the job. */
  forget(jobId: string): void {
    this.#jobs.delete(jobId);
  }

  /** The feed forgets what it held: a client cannot resume. */
  trimFeed(): void {
    this.#feed.length = 0;
  }

  /** Send a user's feed entries again, as a faulty gateway might. */
  repeatFeed(owner: string): void {
    for (const entry of this.#feed) {
      if (entry.owner === owner) this.#gateway?.io.to(owner).emit('job:update', entry.update);
    }
  }

  #job(jobId: string): Mutable<JobStatusResponse> {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new Error(`no job ${jobId}`);
    return job;
  }

  /** The next thing that happens does not get into the feed. */
  loseNext(): void {
    this.#losesNext = true;
  }

  #tell(jobId: string, news: Omit<JobUpdate, 'id' | 'jobId' | 'type' | 'timestamp'>): void {
    if (this.#losesNext) {
      this.#losesNext = false;
      return;
    }
    const owner = this.#owners.get(jobId) ?? '';
    const { type } = this.#job(jobId);
    this.#count += 1;
    // Ids differ in length, so that comparing them as texts would go wrong.
    const update: JobUpdate = { id: `1700000000000-${this.#count}`, jobId, type, timestamp: Date.now(), ...news };
    this.#feed.push({ owner, update });
    this.#gateway?.io.to(owner).emit('job:update', update);
  }

  // --- the gateway -----------------------------------------------------------------------------

  async startGateway(): Promise<void> {
    const http = createServer();
    const io = new SocketServer(http, { cors: { origin: '*' } });
    io.use((socket, next) => {
      const auth = socket.handshake.auth as RecordedHandshake;
      this.handshakes.push({ ...auth });
      if (this.accepts(auth.token)) next();
      else next(Object.assign(new Error('Sign in.'), { data: { code: 'unauthenticated', message: 'Sign in.' } }));
    });
    io.on('connection', (socket) => this.#connected(socket));
    this.#gatewayPort = await listen(http, this.#gatewayPort);
    this.#gateway = { http, io };
  }

  /** As killed: no goodbye, and nobody listens on its port. */
  async stopGateway(): Promise<void> {
    const gateway = this.#gateway;
    if (gateway === null) return;
    this.#gateway = null;
    for (const socket of gateway.io.of('/').sockets.values()) socket.conn.close(true);
    await new Promise<void>((resolve) => void gateway.io.close(() => resolve()));
  }

  /** The gateway's next start is on another port, where nobody looks for it unless told. */
  moveGateway(): void {
    this.#gatewayPort = 0;
  }

  /** Cut every connection; the gateway goes on. */
  cutSockets(): void {
    for (const socket of this.#sockets()) socket.conn.close(true);
  }

  /** Send every client away, as when its token has expired. */
  dismissSockets(): void {
    for (const socket of this.#sockets()) socket.disconnect(true);
  }

  emitToAll(event: string, payload: unknown): void {
    this.#gateway?.io.emit(event, payload);
  }

  #sockets(): Socket[] {
    return [...(this.#gateway?.io.of('/').sockets.values() ?? [])];
  }

  #connected(socket: Socket): void {
    const { userId, lastEventId } = socket.handshake.auth as RecordedHandshake;
    const owner = userId ?? '';
    void socket.join(owner);
    socket.on('auth:renew', ({ token }: { token: string }, acknowledge?: (answer: object) => void) => {
      this.renewals.push(token);
      acknowledge?.({ ok: true });
    });
    if (lastEventId === undefined) return;
    const mine = this.#feed.filter((entry) => entry.owner === owner);
    const at = mine.findIndex((entry) => entry.update.id === lastEventId);
    if (at === -1) {
      const end = mine.at(-1)?.update.id ?? '0-0';
      socket.emit('resync', { id: end, reason: 'position_not_retained' });
      return;
    }
    for (const { update } of mine.slice(at + 1)) socket.emit('job:update', update);
  }

  // --- the API ---------------------------------------------------------------------------------

  async #startApi(): Promise<void> {
    const http = createServer((request, response) => void this.#serve(request, response));
    this.#apiPort = await listen(http);
    this.#http = http;
  }

  async stop(): Promise<void> {
    await this.stopGateway();
    const http = this.#http;
    http?.closeAllConnections();
    await new Promise<void>((resolve) => void http?.close(() => resolve()));
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request: RecordedRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString('utf8'),
    };
    this.requests.push(request);
    const answer = (await this.intercept(request)) ?? this.#answer(request);
    if (answer === 'drop') {
      incoming.socket.destroy();
      return;
    }
    response.writeHead(answer.status, {
      'content-type': answer.status < 400 ? 'application/json' : 'application/problem+json',
      'x-request-id': 'request-1',
      ...answer.headers,
    });
    response.end(JSON.stringify(answer.body));
  }

  #answer({ method, path, headers, body }: RecordedRequest): Answer {
    if (path === '/api/config') return { status: 200, body: { environment: 'test', socketUrl: this.socketUrl } };
    const token = headers.authorization?.replace(/^Bearer /, '');
    if (!this.accepts(token)) return problem(401, 'unauthenticated', 'Sign in first', 'The token has expired.');
    const caller = String(headers['x-user-id']);
    if (method === 'POST' && path === '/api/jobs') return this.#accept(caller, body);
    if (method === 'GET' && path === '/api/jobs') return { status: 200, body: { jobs: this.#live(caller) } };

    const [, encodedId = '', action] = /^\/api\/jobs\/([^/]+)\/(status|cancel)$/.exec(path) ?? [];
    const job = this.#jobs.get(decodeURIComponent(encodedId));
    if (job === undefined || this.#owners.get(job.jobId) !== caller) {
      return problem(404, 'job-not-found', 'You have no such job', 'Check the id.');
    }
    if (action === 'status') return { status: 200, body: job };
    if (job.completedAt !== undefined) return cancelAnswer(job, 'already_final');
    if (job.status === 'processing') return cancelAnswer(job, 'cancelling');
    this.cancelled(job.jobId);
    return cancelAnswer(job, 'cancelled');
  }

  #accept(caller: string, body: string): Answer {
    const type = /"type":\s*"([^"]+)"/.exec(body)?.[1] ?? /name="type"\r\n\r\n([^\r]+)/.exec(body)?.[1];
    const jobId = this.create(caller, type);
    const { createdAt, status } = this.#job(jobId);
    const url = `/api/jobs/${encodeURIComponent(jobId)}`;
    return {
      status: 202,
      body: { jobId, type, status, createdAt, statusUrl: `${url}/status`, eventsUrl: `${url}/events` },
    };
  }

  #live(caller: string): JobStatusResponse[] {
    return [...this.#jobs.values()].filter(
      (job) => this.#owners.get(job.jobId) === caller && (job.status === 'queued' || job.status === 'processing'),
    );
  }
}

export function problem(status: number, code: string, title: string, detail: string, errors?: unknown): Answer {
  return { status, body: { type: `/problems/${code}`, title, status, detail, requestId: 'request-1', errors } };
}

function cancelAnswer({ jobId, status }: JobStatusResponse, outcome: string): Answer {
  return { status: 200, body: { jobId, status, outcome } };
}

/**
 * Listen on `port`, or on any where it is 0; resolves to the port. It lies below the range from
 * which systems take the ports of outgoing connections, so that none of those has taken it when a
 * gateway comes back, and above 10080, which `fetch` refuses as a port of another protocol. Whoever
 * else tries it in passing is waited for.
 */
async function listen(server: HttpServer, port = 0): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const candidate = port === 0 ? randomInt(20_000, 32_768) : port;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(candidate, '127.0.0.1', () => {
          server.off('error', reject);
          resolve();
        });
      });
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === LISTEN_ATTEMPTS) throw error;
      if (port !== 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
