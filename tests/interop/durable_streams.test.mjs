// The public conformance suite of Durable Streams, for the server at STREAMS_URL.
import { runConformanceTests } from '@durable-streams/server-conformance-tests';

runConformanceTests({ baseUrl: process.env.STREAMS_URL, longPollTimeoutMs: 5_000 });
