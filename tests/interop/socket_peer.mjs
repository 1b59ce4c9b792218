// The official client of Socket.IO, asked to do things: one JSON line for each call on stdin, one
// for each answer, and one for everything that a client hears.
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const sockets = new Map();
const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');

const actions = {
  // Resolves with what the server said: connected, or refused and why.
  open: (name, url, options) => new Promise((resolve) => {
    const last = { id: undefined };
    const { lastEventId, ...auth } = options.auth ?? {};
    const socket = io(url, {
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      ...options,
      auth: (send) => send({ ...auth, lastEventId: last.id ?? lastEventId }),
    });
    sockets.set(name, socket);
    socket.on('connect', () => {
      const { engine } = socket.io;
      say({ event: 'connect', jobId: name, transport: engine.transport.name });
      resolve('connected');
    });
    socket.on('connect_error', (error) => {
      say({ event: 'connect_error', jobId: name, message: error.message, data: error.data });
      if (!socket.active) resolve(error.data ?? error.message);
    });
    socket.on('disconnect', (reason) => say({ event: 'disconnect', jobId: name, reason }));
    socket.io.on('open', () => {
      const told = ({ name: transport }) => say({ event: 'upgrade', jobId: name, transport });
      socket.io.engine.on('upgrade', told);
    });
    socket.io.on('ping', () => say({ event: 'ping', jobId: name }));
    socket.onAny((event, payload) => {
      if (event === 'job:update') last.id = payload.id;
      say({ event, jobId: name, payload });
    });
  }),
  call: (name, event, argument, timeout) =>
    sockets.get(name).timeout(timeout).emitWithAck(event, argument).catch((error) => ({ failed: error.message })),
  emitBinary: (name, event) => void sockets.get(name).emit(event, Buffer.from('binary')),
  cut: (name) => void sockets.get(name).io.engine.close(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, do: action, args } = JSON.parse(line);
  Promise.resolve()
    .then(() => actions[action](...args))
    .then((value = null) => say({ call, value }), (error) => say({ call, error: error.message }));
}
for (const socket of sockets.values()) socket.disconnect();
process.exit(0);
