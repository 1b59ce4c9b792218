// Very many tabs of the client package: each holds the connection that a browser would hold, with
// the package's own waits before it comes back. Reads one token a line, then says ten times a second
// how many are open, how often any was opened, and how often one was refused.
import { createInterface } from 'node:readline';
import { createConnection } from '../../web/packages/jobs-react/src/core/connection.ts';

const [url, atOnce] = [process.argv[2], Number(process.argv[3])];
const waiting = [];
let open = 0;
let opened = 0;
let refused = 0;
let errors = 0;
let updates = 0;

function openNext() {
  const token = waiting.pop();
  if (token === undefined) return;
  let isOpen = false;
  let wasOpened = false;
  let last = null;
  const connection = createConnection({
    userId: '',
    token_: async () => token,
    canRenewToken_: () => false,
    lastEventId_: () => last,
    hear_: (news) => {
      if (news.kind === 'state') {
        open += Number(news.state === 'open') - Number(isOpen);
        isOpen = news.state === 'open';
        refused += Number(news.state === 'refused');
      } else if (news.kind === 'open') {
        opened += 1;
        if (!wasOpened) openNext();
        wasOpened = true;
      } else if (news.kind === 'update') {
        last = news.update.id;
        updates += 1;
      } else if (news.kind === 'resync') {
        last = news.id;
      } else if (news.kind === 'error') {
        errors += 1;
      }
    },
  });
  connection.start_(url);
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line) {
    waiting.push(line);
    return;
  }
  for (let n = 0; n < atOnce; n += 1) openNext();
  setInterval(() => {
    process.stdout.write(`${JSON.stringify({ open, opened, refused, errors, updates })}\n`);
  }, 100);
});
