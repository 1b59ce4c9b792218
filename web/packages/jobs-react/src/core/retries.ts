import type { JobInput } from './types.js';

const MAX_KEPT = 50;

/** What this page's jobs were created from, so that one that failed can be created again. */
export class Retries {
  readonly #inputs = new Map<string, JobInput>();

  remember(jobId: string, input: JobInput): void {
    this.#inputs.set(jobId, input);
    const [oldest] = this.#inputs.keys();
    if (this.#inputs.size > MAX_KEPT && oldest !== undefined) this.#inputs.delete(oldest);
  }

  forget(jobId: string): void {
    this.#inputs.delete(jobId);
  }

  inputOf(jobId: string): JobInput | undefined {
    return this.#inputs.get(jobId);
  }
}
