// A crowd of clients of the React package, without pages: each has the connection that a browser
// would have, and comes back as it would. Reads a token a line until an empty one. From then on it
// says ten times a second how far they are, and answers any other line by what each was told.
import { createInterface } from 'node:readline';
import { createConnection } from '../../web/packages/jobs-react/src/core/connection.ts';

const AT_ONCE = 50;
const [url] = process.argv.slice(2);
const clients = [];
let next = 0;

function openNext() {
  const client = clients[next];
  next += 1;
  if (client === undefined) return;
  const connection = createConnection({
    userId: '',
    token_: async () => client.token,
    canRenewToken_: () => false,
    lastEventId_: () => client.ids.at(-1) ?? null,
    hear_: ({ kind, ...news }) => {
      if (kind === 'state') {
        client.isOpen = news.state === 'open';
        client.hasFailed ||= news.failures > 0;
      } else if (kind === 'open') {
        client.openedAt.push(Date.now() / 1000);
        if (client.openedAt.length === 1) openNext();
      } else if (kind === 'update') {
        client.ids.push(news.update.id);
      } else if (kind === 'resync') {
        client.resyncs += 1;
      }
    },
  });
  connection.start_(url);
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const count = (is) => clients.filter(is).length;

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'report') {
    say({ report: clients.map(({ ids, openedAt, resyncs }) => ({ ids, openedAt, resyncs })) });
  } else if (line) {
    clients.push({ token: line, ids: [], openedAt: [], resyncs: 0, isOpen: false, hasFailed: false });
  } else {
    for (let n = 0; n < AT_ONCE; n += 1) openNext();
    setInterval(() => {
      say({
        open: count((client) => client.isOpen),
        failed: count((client) => client.hasFailed),
        came_back: count((client) => client.openedAt.length > 1),
        updates: clients.reduce((sum, { ids }) => sum + ids.length, 0),
      });
    }, 100);
  }
});
