// POST /api/jobs by fastify, fast-jwt and npm bullmq, as one would write it.
import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { createVerifier } from 'fast-jwt';
import fastify from 'fastify';

const { hostname: host, port } = new URL(process.env.REDIS_URL);
const queue = new Queue('resume-optimization', { connection: { host, port: Number(port) } });
const verify = createVerifier({
  key: process.env.JWT_SECRET,
  algorithms: ['HS256'],
  requiredClaims: ['exp', 'sub'],
});
const options = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 2000, jitter: 0.5 },
  priority: 1,
  removeOnComplete: { age: 86_400, count: 10_000 },
  removeOnFail: { age: 86_400, count: 10_000 },
};
const body = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'resumeText', 'targetRole'],
  properties: {
    type: { const: 'resume-optimization' },
    resumeText: { type: 'string', minLength: 1, maxLength: 200_000 },
    targetRole: { type: 'string', minLength: 2, maxLength: 120 },
  },
};
const response = {
  201: { type: 'object', properties: { jobId: { type: 'string' }, status: { type: 'string' } } },
};

const app = fastify();
app.post('/api/jobs', { schema: { body, response } }, async (request, reply) => {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  let claims;
  try {
    claims = verify(scheme === 'Bearer' ? token : '');
  } catch {
    return reply.code(401).send();
  }
  const data = { ...request.body, userId: claims.sub };
  const job = await queue.add(request.body.type, data, { ...options, jobId: randomUUID() });
  return reply.code(201).send({ jobId: job.id, status: 'queued' });
});
await app.listen({ host: '127.0.0.1', port: Number(process.env.API_PORT) });
