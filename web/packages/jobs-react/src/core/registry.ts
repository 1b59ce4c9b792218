import { JobsClient, type JobsClientOptions } from './client.js';

const clients = new Map<string, JobsClient>();

/** The one client of this page for these options, so that everybody shares its connection. */
export function sharedClient(options: JobsClientOptions): JobsClient {
  // A server renders for many users at once, and never wakes a client: nothing to share, or to leak.
  if (typeof window === 'undefined') return new JobsClient(options);
  const key = JSON.stringify([options.apiUrl ?? '', options.socketUrl ?? null, options.userId]);
  let client = clients.get(key);
  if (client === undefined) {
    client = new JobsClient(options);
    clients.set(key, client);
  }
  return client;
}
