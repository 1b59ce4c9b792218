// Very many tabs of the client package: each holds the connection that a browser would hold, with
// the package's own waits before it comes back. Reads one token a line, then says ten times a second
// how many are open, how often any was opened, and how often one was refused.
import { createInterface } from 'node:readline';
import { Connection } from '../../web/packages/jobs-react/dist/core/connection.js';

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
  const connection = new Connection({
    userId: '',
    token: async () => token,
    canRenewToken: () => false,
    lastEventId: () => last,
    onState: (state) => {
      open += Number(state === 'open') - Number(isOpen);
      isOpen = state === 'open';
      refused += Number(state === 'refused');
    },
    onOpen: () => {
      opened += 1;
      if (!wasOpened) openNext();
      wasOpened = true;
    },
    onUpdate: ({ id }) => {
      last = id;
      updates += 1;
    },
    onResync: (id) => {
      last = id;
    },
    onError: () => {
      errors += 1;
    },
    onDraining: () => {},
  });
  connection.open(url);
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line) waiting.push(line);
  else break;
}
for (let n = 0; n < atOnce; n += 1) openNext();
setInterval(() => {
  process.stdout.write(`${JSON.stringify({ open, opened, refused, errors, updates })}\n`);
}, 100);
