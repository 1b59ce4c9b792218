// Plays scenarios on BullMQ and writes down what they leave, one JSON object per line.
//
//   node record_scenarios.mjs 127.0.0.1:6379/1 [numbers, as 0-199 or 3,17]
//
// A scenario is made from its number alone, and its clock is its own: Date.now stands still but
// for the steps that move it. So the same scenario leaves the same, whenever it is played, time
// stamps included. The database is emptied before each. How to record again: see
// test_recorded_scenarios.py.
import { FlowProducer, Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const [address, numbers = '0-199'] = process.argv.slice(2);
const [, host, port, db] = address.match(/^(.+):(\d+)\/(\d+)$/);
const connection = { host, port: Number(port), db: Number(db), maxRetriesPerRequest: null };

const redis = new Redis(connection);

// 2036: to a real clock all that is due is still to come, so nobody wakes up for it.
const START = 2_100_000_000_000;
const HOUR = 3_600_000;
let now = START;
Date.now = () => now;

// Making a scenario

function seeded(number) {
  // mulberry32
  let state = (number + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function generate(number) {
  const random = seeded(number);
  const below = (limit) => Math.floor(random() * limit);
  const one = (...choices) => choices[below(choices.length)];
  const maybe = (share, make) => (random() < share ? make() : {});
  const many = (least, most, make) => Array.from({ length: least + below(most - least + 1) }, make);

  const VALUES = [null, 0, 7.25, true, 'done', 'Grüße ✓ "1"', [1, 'zwei', null], { percent: 30, message: 'half' }];
  const value = () => one(...VALUES);
  const attempt = () => [
    ...many(0, 2, () => one(['progress', value()], ['log', one('a line', 'línea ✓', '')])),
    one(['return', value()], ['return', value()], ['return'], ['throw', one('it broke', 'größer: 5 > 3')],
      ['throw', 'it broke again'], ['unrecoverable', 'never again']),
  ];
  // Which jobs are kept by their number depends on the order of their ends; see the test.
  const keep = number % 3 === 0
    ? () => one(true, false, { age: 60 })
    : () => one(true, false, 0, 1, 3, { age: 60 }, { age: 3600, count: 2 }, { count: 1 });
  const backoff = () => one(1_000, { type: 'fixed', delay: 5_000 }, { type: 'exponential', delay: 1_000 },
    { type: 'exponential', delay: 500 }, { type: 'fixed', delay: 0 });
  const options = () => ({
    ...maybe(0.7, () => ({ attempts: 1 + below(4) })),
    ...maybe(0.4, () => ({ backoff: backoff() })),
    ...maybe(0.3, () => ({ priority: one(1, 2, 2, 2 ** 21 - 1) })),
    ...maybe(0.25, () => ({ delay: one(1, 1_000, 30_000) })),
    ...maybe(0.2, () => ({ lifo: true })),
    ...maybe(0.25, () => ({ removeOnComplete: keep() })),
    ...maybe(0.25, () => ({ removeOnFail: keep() })),
    ...maybe(0.15, () => ({ jobId: one('my-own-id', 'user-1|größer', 'other') })),
    ...maybe(0.1, () => ({ timestamp: START - one(1, 90_000) })),
  });
  const job = () => ({ name: one('same', 'größer'), data: { plan: many(1, 3, attempt) }, opts: options() });
  const index = () => below(8);
  let flows = 0;
  const flow = () => {
    flows += 1;
    const policy = () => one({}, { failParentOnFailure: true }, { ignoreDependencyOnFailure: true },
      { removeDependencyOnFailure: true });
    const node = (jobId, extra = {}) => {
      const { name, data, opts } = job();
      return { name, data, opts: { ...opts, jobId, ...extra } };
    };
    return { do: 'flow', parent: node(`parent-${flows}`),
      children: one(
        many(1, 3, policy).map((policy, place) => node(`child-${flows}-${place}`, policy)),
        // With a second child, a parent that goes on could not be completed.
        [node(`child-${flows}-0`, { continueParentOnFailure: true })],
      ) };
  };
  const step = () => {
    const kind = random();
    if (kind < 0.3) return { do: 'add', ...job() };
    if (kind < 0.35) return { do: 'addBulk', jobs: many(2, 4, job) };
    if (kind < 0.52) return { do: 'work' };
    if (kind < 0.62) return { do: 'later', ms: one(1, 1_000, 5_000, 60_000) };
    if (kind < 0.66) return flow();
    return one(
      { do: 'progress', job: index(), value: value() },
      { do: 'log', job: index(), line: one('from outside', 'ü') },
      { do: 'retry', job: index(), state: one('failed', 'completed'), reset: true },
      { do: 'retry', job: index(), state: one('failed', 'completed'), reset: one(true, false) },
      { do: 'remove', job: index() },
      { do: 'promote', job: index() },
      { do: 'changePriority', job: index(), priority: one(0, 1, 5), lifo: one(true, false) },
      { do: 'updateData', job: index(), data: { plan: [attempt()] } },
      { do: 'pause' },
      { do: 'resume' },
      { do: 'resume' },
      { do: 'crash' },
      { do: 'crash' },
      { do: 'windowEnds' },
      { do: 'clean', state: one('completed', 'failed', 'delayed', 'prioritized', 'wait'), grace: one(0, 2_000),
        limit: one(1, 100) },
      { do: 'drain', delayed: one(true, false) },
      { do: 'state', job: index() },
      { do: 'counts' },
    );
  };
  return {
    number,
    worker: {
      name: 'the worker',
      maxStalledCount: one(0, 1, 2),
      ...maybe(0.15, () => ({ limiter: { max: one(1, 2), duration: HOUR } })),
    },
    steps: [
      ...many(1, 3, () => ({ do: 'add', ...job() })),
      ...many(6, 22, step),
      { do: 'work' },
      ...(random() < 0.05 ? [{ do: 'obliterate', force: one(true, false) }] : []),
    ],
  };
}

// Playing it

async function handle(job) {
  const { plan } = job.data;
  const attempt = plan[Math.min(job.attemptsMade, plan.length - 1)];
  for (const [what, value] of attempt) {
    if (what === 'progress') await job.updateProgress(value);
    if (what === 'log') await job.log(value);
    if (what === 'throw') throw new Error(value);
    if (what === 'unrecoverable') throw new UnrecoverableError(value);
    if (what === 'return' && value !== undefined) return value;
  }
}

// A bell that an idle worker may or may not have answered, and a guard that runs out.
const RACY = new Set(['marker', 'stalled-check']);

class Play {
  constructor({ number, worker }) {
    this.name = `scenario-${number}`;
    this.flows = new FlowProducer({ connection });
    this.options = { connection, autorun: false, concurrency: 1, skipStalledCheck: true,
      maximumRateLimitDelay: 10, ...worker };
    this.ids = [];
    this.crashes = 0;
  }

  async open() {
    await redis.flushdb();
    this.queue = new Queue(this.name, { connection });
    await this.queue.waitUntilReady();
  }

  async close() {
    await this.flows.close();
    await this.queue.close();
  }

  async answer(step) {
    now += 1;
    try {
      return (await this[step.do](step)) ?? null;
    } catch (error) {
      if (step.do === 'work' || error instanceof TypeError) throw error;
      return { refused: true };
    }
  }

  key(suffix) { return this.queue.toKey(suffix); }

  known(id) { if (!this.ids.includes(id)) this.ids.push(id); return id; }

  async job({ job }) {
    const found = this.ids.length ? await Job.fromId(this.queue, this.ids[job % this.ids.length]) : null;
    if (!found) throw new Error('no such job');
    return found;
  }

  async add({ name, data, opts }) { return this.known((await this.queue.add(name, data, opts)).id); }

  async addBulk({ jobs }) { return (await this.queue.addBulk(jobs)).map(({ id }) => this.known(id)); }

  async flow({ parent, children }) {
    const node = (job) => ({ ...job, queueName: this.name });
    await this.flows.add({ ...node(parent), children: children.map(node) });
    for (const { opts } of [parent, ...children]) this.known(opts.jobId);
  }

  async work() {
    if (await this.isIdle()) return;
    const worker = new Worker(this.name, handle, this.options);
    const trouble = new Promise((_, reject) => worker.on('error', reject));
    worker.run().catch(() => {});
    while (!(await Promise.race([this.isIdle(), trouble])));
    await worker.close();
  }

  // Nothing runs, and nothing could be taken.
  async isIdle() {
    const [active, wait, prioritized, due, paused, taken] = await Promise.all([
      redis.llen(this.key('active')),
      redis.llen(this.key('wait')),
      redis.zcard(this.key('prioritized')),
      redis.zcount(this.key('delayed'), 0, (now + 1) * 4096 - 1),
      redis.hexists(this.key('meta'), 'paused'),
      redis.get(this.key('limiter')),
    ]);
    const isLimited = this.options.limiter && Number(taken ?? 0) >= this.options.limiter.max;
    return !active && !due && (Boolean(paused) || Boolean(isLimited) || wait + prioritized === 0);
  }

  // A worker takes a job and vanishes; two checks later the job is back in line.
  async crash() {
    const worker = new Worker(this.name, null, this.options);
    this.crashes += 1;
    const job = await worker.getNextJob(`crash:${this.crashes}`, { block: false });
    if (job) {
      await redis.del(`${this.key(job.id)}:lock`);
      for (const check of [1, 2]) {
        await redis.del(this.key('stalled-check'));
        await worker.moveStalledJobsToWait();
      }
    }
    await worker.close();
    return job?.id;
  }

  async later({ ms }) { now += ms; }

  async windowEnds() { await redis.del(this.key('limiter')); }

  async progress({ value, ...step }) { await (await this.job(step)).updateProgress(value); }

  async log({ line, ...step }) { await (await this.job(step)).log(line); }

  async retry({ state, reset, ...step }) {
    await (await this.job(step)).retry(state, { resetAttemptsMade: reset, resetAttemptsStarted: reset });
  }

  async remove(step) { await (await this.job(step)).remove(); }

  async promote(step) { await (await this.job(step)).promote(); }

  async changePriority({ priority, lifo, ...step }) { await (await this.job(step)).changePriority({ priority, lifo }); }

  async updateData({ data, ...step }) { await (await this.job(step)).updateData(data); }

  async pause() { await this.queue.pause(); }

  async resume() { await this.queue.resume(); }

  async clean({ state, grace, limit }) { return this.queue.clean(grace, limit, state); }

  async drain({ delayed }) { await this.queue.drain(delayed); }

  async obliterate({ force }) { await this.queue.obliterate({ force }); }

  async state(step) { return (await this.job(step)).getState(); }

  async counts() { return this.queue.getJobCounts(); }

  async left() {
    const base = this.key('');
    const left = {};
    for (const key of (await redis.keys(`${base}*`)).sort()) {
      const suffix = key.slice(base.length);
      if (!RACY.has(suffix)) left[suffix] = await this.content(key);
    }
    return left;
  }

  async content(key) {
    const pairs = (flat) => flat.flatMap((item, place) => (place % 2 ? [] : [[item, flat[place + 1]]]));
    switch (await redis.type(key)) {
      case 'string': return redis.get(key);
      case 'list': return redis.lrange(key, 0, -1);
      case 'set': return (await redis.smembers(key)).sort();
      case 'zset': return pairs(await redis.zrange(key, 0, -1, 'WITHSCORES'));
      case 'stream': return (await redis.xrange(key, '-', '+')).map(([, flat]) => Object.fromEntries(pairs(flat)));
      default: return withoutTraces(await redis.hgetall(key));
    }
  }
}

// Of the traces only their number can be compared, and stored without telling of a machine.
function withoutTraces(fields) {
  if ('stacktrace' in fields) fields.stacktrace = String(JSON.parse(fields.stacktrace).length);
  return fields;
}

function* chosen() {
  for (const part of numbers.split(',')) {
    const [first, last = first] = part.split('-').map(Number);
    for (let number = first; number <= last; number += 1) yield number;
  }
}

for (const number of chosen()) {
  now = START;
  const scenario = generate(number);
  const play = new Play(scenario);
  await play.open();
  const steps = [];
  for (const step of scenario.steps) steps.push({ ...step, answer: await play.answer(step) });
  process.stdout.write(`${JSON.stringify({ ...scenario, steps, left: await play.left() })}\n`);
  await play.close();
}
process.exit(0);
