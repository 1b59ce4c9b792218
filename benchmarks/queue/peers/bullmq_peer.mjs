// BullMQ on Node, in the roles of harness.py.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Queue, Worker } from 'bullmq';

const QUEUE = 'bench';
const IN_FLIGHT = 200;
const BATCH = 1000;
const [, , url, role, ...numbers] = process.argv;
const { hostname: host, port, pathname } = new URL(url);
const db = Number(pathname.slice(1));
const connection = { host, port: Number(port), db, maxRetriesPerRequest: null };

const tell = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const now = () => process.hrtime.bigint();
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

function peakMemoryMb() {
  try {
    return Number(readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\s+(\d+)/)[1]) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

async function timed(jobs, action) {
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  const started = now();
  await action(queue);
  tell({ jobs, seconds: Number(now() - started) / 1e9 });
  process.exit(0);
}

async function addAtOnce(queue, jobs) {
  let next = 0;
  const caller = async () => {
    while (next < jobs) await queue.add(QUEUE, { number: next++ });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
}

async function addAlone(jobs) {
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  const took_us = [];
  for (let number = 0; number < jobs; number += 1) {
    const started = now();
    await queue.add(QUEUE, { number });
    took_us.push(Math.round(Number(now() - started) / 1e3));
  }
  tell({ took_us });
  process.exit(0);
}

async function addInBatches(queue, jobs, opts) {
  for (let start = 0; start < jobs; start += BATCH) {
    const length = Math.min(BATCH, jobs - start);
    await queue.addBulk(
      Array.from({ length }, (_, n) => ({ name: QUEUE, data: { number: start + n }, opts })),
    );
  }
}

function work(concurrency, expected) {
  let count = 0;
  let started;
  let cpu;
  new Worker(QUEUE, async () => {
    count += 1;
    if (count === 1) {
      started = now();
      cpu = cpuSeconds();
    } else if (count === expected) {
      const seconds = Number(now() - started) / 1e9;
      tell({ jobs: count, seconds, cpu_s: cpuSeconds() - cpu, rss_mb: peakMemoryMb() });
      process.exit(0);
    }
  }, { connection, concurrency });
}

const [first, second] = numbers.map(Number);
const roles = {
  enqueue: () => timed(first, (queue) => addAtOnce(queue, first)),
  enqueue_bulk: () => timed(first, (queue) => addInBatches(queue, first, {})),
  enqueue_prioritized: () => timed(first, (queue) => addInBatches(queue, first, { priority: 1 })),
  add_alone: () => addAlone(first),
  work: () => work(first, second),
  work_prioritized: () => work(first, second),
  answer: () => new Worker(QUEUE, async (job) => {
    const at = now();
    tell({ waited_ms: Number(at - BigInt(job.data.number)) / 1e6, at_ms: Number(at) / 1e6 });
  }, { connection, concurrency: 10 }),
  feed: async () => {
    const queue = new Queue(QUEUE, { connection });
    await queue.waitUntilReady();
    for await (const _ of createInterface({ input: process.stdin })) {
      await queue.add(QUEUE, { number: String(now()) });
    }
    process.exit(0);
  },
};
await roles[role]();
