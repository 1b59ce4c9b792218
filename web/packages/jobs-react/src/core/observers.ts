import type { JobFailedError } from './errors.js';
import type { JobProgress } from './types.js';

/** Told once of each event. */
export interface JobsObserver {
  readonly onProgress?: ((jobId: string, progress: JobProgress) => void) | undefined;
  readonly onComplete?: ((jobId: string, result: unknown) => void) | undefined;
  readonly onError?: ((jobId: string, error: JobFailedError) => void) | undefined;
  readonly onCancel?: ((jobId: string) => void) | undefined;
}

/** Everybody who wants to be told. */
export class Observers {
  readonly #observers = new Set<JobsObserver>();

  add(observer: JobsObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  tell(call: (observer: JobsObserver) => void): void {
    for (const observer of [...this.#observers]) {
      try {
        call(observer);
      } catch (error) {
        // The listener's own fault, which must not keep others from hearing: report it as uncaught.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }
}
