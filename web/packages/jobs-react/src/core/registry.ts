import { JobsClient, type JobsClientOptions } from './client.js';
import { shared } from './shared.js';

const clients = new Map<string, JobsClient>();

/** The one client of this page for these options. */
export function sharedClient(options: JobsClientOptions): JobsClient {
  const { apiUrl, socketUrl, userId } = options;
  return shared(clients, [apiUrl ?? '', socketUrl, userId], () => new JobsClient(options));
}
