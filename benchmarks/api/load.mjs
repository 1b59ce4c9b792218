// Sends the same POST over and over: `load.mjs CONNECTIONS SECONDS`, the request as JSON on stdin.
// Prints one line: how many answers were good, in how long, and how long they took.
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';

const [, , connections, duration] = process.argv.map(Number);
const { url, headers, body } = JSON.parse(readFileSync(0, 'utf8'));
const result = await autocannon({ url, method: 'POST', headers, body, connections, duration });
console.log(JSON.stringify({
  good: result['2xx'],
  bad: result.non2xx + result.errors + result.timeouts,
  seconds: (result.finish - result.start) / 1000,
  p50_ms: result.latency.p50,
  p99_ms: result.latency.p99,
}));
