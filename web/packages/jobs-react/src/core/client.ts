/**
 * A user's jobs, kept up to date, and what can be done about them. Framework-free. It sleeps until
 * somebody retains it, and goes back to sleep a moment after the last release.
 */

import type { JobsObserver, JobsSnapshot } from './chronicle.js';
import { localProblem } from './errors.js';
import type { CancelResponse, Job, JobInput } from './types.js';
import { createUpkeep, type JobsClientOptions, type TokenSource } from './upkeep.js';

export { EMPTY_SNAPSHOT, type JobsObserver, type JobsSnapshot } from './chronicle.js';
export type { JobsClientOptions } from './upkeep.js';

export class JobsClient {
  declare readonly userId: string;
  declare readonly getSnapshot: () => JobsSnapshot;
  /** Be told whenever there is something else to show. */
  declare readonly subscribe: (listener: () => void) => () => void;
  /** Be told of events from now on; returns how to stop. */
  declare readonly observe: (observer: JobsObserver) => () => void;
  /** The job as far as it is known, also one that is no longer shown. */
  declare readonly getJob: (jobId: string) => Job | null;
  /**
   * Ask the server for a job that is not known here, so that `getJob` knows it. One that has ended
   * is neither shown nor announced. Rejects with a `JobsApiError`.
   */
  declare readonly lookUp: (jobId: string) => Promise<void>;
  /** The token given to `retain` has changed: use it now. */
  declare readonly tokenChanged: () => void;
  /**
   * Create a job and follow it. Resolves to its id once the server has accepted it; rejects with a
   * `JobsApiError` whose `errors` name each wrong field.
   */
  declare readonly createJob: (input: JobInput) => Promise<string>;
  /**
   * Ask for a job to be cancelled. When the answer is `cancelling`, its worker was told, and the
   * job turns `cancelled` once the work has really stopped.
   */
  declare readonly cancelJob: (jobId: string) => Promise<CancelResponse>;
  /** Whether `retryJob` knows what the job was created from: this page created it. */
  declare readonly canRetry: (jobId: string) => boolean;
  /** Create a job again, from the same input, and show it instead. Resolves to the new job's id. */
  declare readonly retryJob: (jobId: string) => Promise<string>;
  /** Stop showing a job. It goes on, if it has not ended, and its end is still announced. */
  declare readonly dismissJob: (jobId: string) => void;
  /** Ask the server for the user's jobs now. */
  declare readonly refresh: () => Promise<void>;
  /** Keep the jobs up to date until the returned function is called. */
  declare readonly retain: (token?: TokenSource) => () => void;

  constructor(options: JobsClientOptions) {
    Object.assign(this, createClient(options));
  }
}

function createClient(options: JobsClientOptions): JobsClient {
  const { userId } = options;
  const { chronicle_: chronicle, api_: api, fetches_: fetches, poller_: poller, ...upkeep } = createUpkeep(options);
  const { book_: book, inputs_: inputs, restore_: restore } = chronicle;

  async function createJob(input: JobInput): Promise<string> {
    const { userId: owner = userId, ...fields } = input;
    if (owner !== userId) {
      throw localProblem('wrong_user', `Jobs are created for ${userId}, not for ${owner}.`);
    }
    const created = await api.create(fields);
    restore();
    book.created_(created);
    chronicle.remember_(created.jobId, input);
    chronicle.flush_();
    poller.poke_();
    return created.jobId;
  }

  function dismissJob(jobId: string): void {
    book.dismiss_(jobId);
    inputs.delete(jobId);
    chronicle.flush_();
  }

  return {
    userId,
    getSnapshot: () => chronicle.snapshot_,
    subscribe: chronicle.subscribe_,
    observe: chronicle.observe_,
    retain: upkeep.retain_,
    tokenChanged: upkeep.tokenChanged_,
    createJob,
    dismissJob,

    getJob(jobId) {
      restore();
      return book.find_(jobId);
    },

    async lookUp(jobId) {
      const askedAt = book.clock_;
      const status = await api.status(jobId);
      restore();
      chronicle.follow_(book.recall_(status) ? [] : book.answer_(status, upkeep.answerKind_(), askedAt));
      chronicle.lookAgain_();
    },

    async cancelJob(jobId) {
      const answer = await api.cancel(jobId);
      book.cancelRequested_(jobId);
      chronicle.flush_();
      if (answer.outcome !== 'cancelling' && book.find_(jobId)) fetches.add_(jobId);
      poller.poke_();
      return answer;
    },

    canRetry: (jobId) => inputs.has(jobId),

    async retryJob(jobId) {
      const input = inputs.get(jobId);
      if (!input) throw localProblem('input_unknown', 'This page did not create the job.');
      const newId = await createJob(input);
      dismissJob(jobId);
      return newId;
    },

    async refresh() {
      await upkeep.askForList_();
    },
  };
}
