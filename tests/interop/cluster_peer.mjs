// BullMQ on Node on a cluster: adds jobs, and works on the queue until its stdin ends.
//   node cluster_peer.mjs 127.0.0.1:7000,127.0.0.1:7001 queue '{bull}' 200
// Each job that it has run is told by a line with its id.
import { Queue, Worker } from 'bullmq';
import { Cluster } from 'ioredis';

const [nodes, name, prefix, count] = process.argv.slice(2);
const places = nodes.split(',').map((place) => {
  const [host, port] = place.split(':');
  return { host, port: Number(port) };
});
const connect = () => new Cluster(places, { redisOptions: { maxRetriesPerRequest: null } });
const connections = [connect(), connect()];

const worker = new Worker(name, async (job) => {
  if (job.data.fails && job.attemptsMade === 0) throw new Error('once');
  process.stdout.write(`${job.id}\n`);
}, { connection: connections[0], prefix, concurrency: 5 });
worker.on('error', (error) => process.stderr.write(`${error}\n`));
await worker.waitUntilReady();

const queue = new Queue(name, { connection: connections[1], prefix });
await queue.addBulk(Array.from({ length: Number(count) }, (_, number) => ({
  name, data: { fails: number % 10 === 0 }, opts: { jobId: `node-${number}`, attempts: 2 },
})));

process.stdin.resume();
process.stdin.on('end', async () => {
  await worker.close();
  await queue.close();
  for (const connection of connections) connection.disconnect();
});
