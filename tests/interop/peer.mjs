// BullMQ on Node, steered over stdin and stdout with one JSON object per line.
//   → {"call": 1, "do": "add", "args": ["queue", "name", {}, {}]}
//   ← {"call": 1, "value": "…"}  |  {"call": 1, "error": "…"}  |  {"event": "progress", …}
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq';
import { CronExpressionParser } from 'cron-parser';

const [host, port] = process.argv[2].split(':');
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const open = new Map();

const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

function once(kind, name, make) {
  const key = `${kind} ${name}`;
  if (!open.has(key)) open.set(key, make());
  return open.get(key);
}

const queue = (name) => once('queue', name, () => new Queue(name, { connection }));

const OBSERVED = ['added', 'waiting', 'delayed', 'active', 'progress', 'completed', 'failed',
  'retries-exhausted', 'stalled', 'removed', 'drained'];

const actions = {
  async add(name, jobName, data, opts) {
    return (await queue(name).add(jobName, data, opts)).id;
  },
  async addBulk(name, jobs) {
    return (await queue(name).addBulk(jobs)).map((job) => job.id);
  },
  async job(name, id) {
    const job = await queue(name).getJob(id);
    if (!job) return null;
    return { ...job.toJSON(), state: await job.getState() };
  },
  async counts(name) {
    return queue(name).getJobCounts();
  },
  async retry(name, id) {
    await (await queue(name).getJob(id)).retry();
  },
  async observe(name) {
    const events = once('events', name, () => new QueueEvents(name, { connection, lastEventId: '0-0' }));
    for (const event of OBSERVED) {
      events.on(event, (args, id) => tell({ event, id, ...args }));
    }
    await events.waitUntilReady();
  },
  async work(name) {
    const worker = once('worker', name, () => new Worker(name, async (job) => {
      await job.updateProgress({ percent: 50, message: 'by node' });
      if (job.attemptsMade < (job.data.failures ?? 0)) throw new Error(`failure ${job.attemptsMade + 1}`);
      return { by: 'node', attempt: job.attemptsMade + 1 };
    }, { connection, concurrency: 5 }));
    worker.on('error', (error) => tell({ event: 'worker-error', message: String(error) }));
    await worker.waitUntilReady();
  },
  async upsertScheduler(name, id, repeat, template) {
    return (await queue(name).upsertJobScheduler(id, repeat, template)).id;
  },
  async schedulers(name) {
    return queue(name).getJobSchedulers(0, -1, true);
  },
  async removeScheduler(name, id) {
    return queue(name).removeJobScheduler(id);
  },
  // Writes each run down in a file, and fails as many attempts as the job's data asks for.
  async countRuns(name, file) {
    const worker = once('worker', name, () => new Worker(name, async (job) => {
      const attempt = job.attemptsMade + 1;
      appendFileSync(file, `${job.id} ${attempt}\n`);
      if (attempt <= job.data.failures) throw new Error('again');
      return { by: 'node' };
    }, { connection, concurrency: 20, lockDuration: 120_000 }));
    await worker.waitUntilReady();
  },
  async addFlow(flow) {
    const ids = ({ job, children }) => ({ id: job.id, children: (children ?? []).map(ids) });
    return ids(await once('flows', '', () => new FlowProducer({ connection })).add(flow));
  },
  async workOnFlow(name) {
    const worker = once('worker', name, () => new Worker(name, async (job) => {
      if (job.data.fails) throw new Error('no luck');
      return {
        by: 'node',
        values: Object.values(await job.getChildrenValues()),
        failures: Object.values(await job.getIgnoredChildrenFailures()),
      };
    }, { connection }));
    await worker.waitUntilReady();
  },
  // Bull Board over these queues; the answer is the port of its HTTP API.
  async board(...names) {
    const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/express'),
    ]);
    const serverAdapter = new ExpressAdapter();
    createBullBoard({ queues: names.map((name) => new BullMQAdapter(queue(name))), serverAdapter });
    const server = createServer(serverAdapter.getRouter()).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    once('board', names.join(), () => ({
      close() {
        server.close();
        server.closeAllConnections();
      },
    }));
    return server.address().port;
  },
  async cron(cases) {
    return cases.map(([pattern, afterMs, tz, hashSeed]) => {
      const options = { currentDate: new Date(afterMs), tz, hashSeed: hashSeed ?? undefined };
      try {
        return CronExpressionParser.parse(pattern, options).next().getTime();
      } catch (error) {
        return null;
      }
    });
  },
  async close(kind, name) {
    const key = `${kind} ${name}`;
    await open.get(key)?.close();
    open.delete(key);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, do: action, args } = JSON.parse(line);
  actions[action](...args).then(
    (value) => tell({ call, value: value ?? null }),
    (error) => tell({ call, error: String(error) }),
  );
}
await Promise.all([...open.values()].map((item) => item.close()));
