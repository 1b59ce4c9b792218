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
  readonly userId: string;
  readonly #upkeep;
  readonly #chronicle;
  readonly #book;
  readonly subscribe: (listener: () => void) => () => void;

  constructor(options: JobsClientOptions) {
    this.userId = options.userId;
    this.#upkeep = createUpkeep(options);
    this.#chronicle = this.#upkeep.chronicle_;
    this.#book = this.#chronicle.book_;
    this.subscribe = this.#chronicle.subscribe_;
  }

  readonly getSnapshot = (): JobsSnapshot => this.#chronicle.snapshot_;

  /** Be told of events from now on; returns how to stop. */
  observe(observer: JobsObserver): () => void {
    return this.#chronicle.observe_(observer);
  }

  /** The job as far as it is known, also one that is no longer shown. */
  getJob(jobId: string): Job | null {
    this.#chronicle.restore_();
    return this.#book.find_(jobId);
  }

  /**
   * Ask the server for a job that is not known here, so that `getJob` knows it. One that has ended
   * is neither shown nor announced. Rejects with a `JobsApiError`.
   */
  async lookUp(jobId: string): Promise<void> {
    const askedAt = this.#book.clock_;
    const status = await this.#upkeep.api_.status(jobId);
    this.#chronicle.restore_();
    this.#chronicle.follow_(
      this.#book.recall_(status) ? [] : this.#book.answer_(status, this.#upkeep.answerKind_(), askedAt),
    );
    this.#chronicle.lookAgain_();
  }

  /** Keep the jobs up to date until the returned function is called. */
  retain(token: TokenSource = () => undefined): () => void {
    return this.#upkeep.retain_(token);
  }

  /** The token given to `retain` has changed: use it now. */
  tokenChanged(): void {
    this.#upkeep.tokenChanged_();
  }

  /**
   * Create a job and follow it. Resolves to its id once the server has accepted it; rejects with a
   * `JobsApiError` whose `errors` name each wrong field.
   */
  readonly createJob = async (input: JobInput): Promise<string> => {
    const { userId = this.userId, ...fields } = input;
    if (userId !== this.userId) {
      throw localProblem('wrong_user', `Jobs can only be created for ${this.userId}, not for ${userId}.`);
    }
    const created = await this.#upkeep.api_.create(fields);
    this.#chronicle.restore_();
    this.#book.created_(created);
    this.#chronicle.remember_(created.jobId, input);
    this.#chronicle.show_();
    this.#chronicle.keep_();
    this.#upkeep.poller_.poke_();
    return created.jobId;
  };

  /**
   * Ask for a job to be cancelled. When the answer is `cancelling`, its worker was told, and the
   * job turns `cancelled` once the work has really stopped.
   */
  readonly cancelJob = async (jobId: string): Promise<CancelResponse> => {
    const answer = await this.#upkeep.api_.cancel(jobId);
    this.#book.cancelRequested_(jobId);
    this.#chronicle.changed_();
    this.#chronicle.show_();
    if (answer.outcome !== 'cancelling' && this.#book.knows_(jobId)) this.#upkeep.fetches_.add_(jobId);
    this.#upkeep.poller_.poke_();
    return answer;
  };

  /** Whether `retryJob` knows what the job was created from: this page created it. */
  readonly canRetry = (jobId: string): boolean => this.#chronicle.inputs_.has(jobId);

  /** Create a job again, from the same input, and show it instead. Resolves to the new job's id. */
  readonly retryJob = async (jobId: string): Promise<string> => {
    const input = this.#chronicle.inputs_.get(jobId);
    if (!input) throw localProblem('input_unknown', 'Only jobs that this page created can be tried again.');
    const newId = await this.createJob(input);
    this.dismissJob(jobId);
    return newId;
  };

  /** Stop showing a job. It goes on, if it has not ended, and its end is still announced. */
  readonly dismissJob = (jobId: string): void => {
    this.#book.dismiss_(jobId);
    this.#chronicle.inputs_.delete(jobId);
    this.#chronicle.show_();
    this.#chronicle.keep_();
  };

  /** Ask the server for the user's jobs now. */
  readonly refresh = async (): Promise<void> => {
    await this.#upkeep.askForList_();
  };
}
