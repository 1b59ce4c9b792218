// The gateway as one would write it on socket.io: a token is verified, the socket joins the room of
// its user, and each entry of the user's feed goes to that room. One subscription and one place in
// the feed for each user who is connected, as ours has them.
import { createServer } from 'node:http';
import Redis from 'ioredis';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';

const { JWT_SECRET, REDIS_URL, SOCKET_PORT } = process.env;
const PAGE = 256;
const redis = new Redis(REDIS_URL, { enableAutoPipelining: true });
const subscriber = new Redis(REDIS_URL);
const follows = new Map();
const server = createServer();
const io = new Server(server, { serveClient: false, maxHttpBufferSize: 65_536 });

io.use(async (socket, next) => {
  try {
    const claims = jwt.verify(socket.handshake.auth.token, JWT_SECRET, { algorithms: ['HS256'] });
    socket.data.userId = claims.userId;
    await follow(claims.userId);
    next();
  } catch {
    next(new Error('unauthorized'));
  }
});

io.on('connection', (socket) => {
  const { userId } = socket.data;
  socket.join(`user:${userId}`);
  const followed = follows.get(`careerlens:{${userId}}:wake`);
  followed.sockets += 1;
  socket.on('disconnect', () => {
    followed.sockets -= 1;
    if (followed.sockets === 0) {
      follows.delete(followed.channel);
      subscriber.unsubscribe(followed.channel);
    }
  });
});

async function follow(userId) {
  const channel = `careerlens:{${userId}}:wake`;
  let followed = follows.get(channel);
  if (!followed) {
    const feed = `careerlens:{${userId}}:feed`;
    const [newest] = await redis.xrevrange(feed, '+', '-', 'COUNT', 1);
    followed = follows.get(channel);
    if (!followed) {
      followed = { channel, feed, room: `user:${userId}`, sockets: 0, position: newest?.[0] ?? '0-0' };
      follows.set(channel, followed);
      subscriber.subscribe(channel);
    }
  }
  return followed;
}

subscriber.on('message', (channel) => {
  const followed = follows.get(channel);
  if (!followed) return;
  followed.grown = true;
  if (!followed.reading) read(followed);
});

async function read(followed) {
  followed.reading = true;
  while (followed.grown) {
    followed.grown = false;
    const entries = await redis.xrange(followed.feed, `(${followed.position}`, '+', 'COUNT', PAGE);
    for (const [id, [, update]] of entries) {
      io.to(followed.room).emit('job:update', { id, ...JSON.parse(update) });
      followed.position = id;
    }
    followed.grown ||= entries.length === PAGE;
  }
  followed.reading = false;
}

server.listen(Number(SOCKET_PORT), '127.0.0.1');
