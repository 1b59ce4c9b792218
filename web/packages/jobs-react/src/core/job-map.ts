/** Job types and what belongs to each, as the API's document tells. */

import type { components } from './job-types.generated.js';
import type { Job, JobInput } from './types.js';

type Served = components['schemas']['JobTypes'];

/**
 * The input and result of each job type. Add your own:
 *
 * ```ts
 * declare module '@careerlens/jobs-react' {
 *   interface JobTypes {
 *     'cover-letter': { input: { type: 'cover-letter'; tone: string }; result: { letter: string } };
 *   }
 * }
 * ```
 */
export interface JobTypes extends Served {}

/** The name of a job type that is known here. */
export type JobType = keyof JobTypes & string;

/** A file in the place of a field that the server fills from it. */
interface Upload {
  readonly resume?: Blob;
  readonly userId?: string;
}

/** What a job of type `T` is created from: as `JobTypes` says, anything for a type that is not there. */
export type InputOf<T extends string> = T extends JobType ? JobTypes[T]['input'] & Upload : JobInput & { readonly type: T };

/** What a job of type `T` produces. */
export type ResultOf<T extends string> = T extends JobType ? JobTypes[T]['result'] : unknown;

/** A job of type `T`; its `result` is null until it is completed. */
export interface JobOf<T extends string> extends Omit<Job, 'type' | 'result'> {
  readonly type: T;
  readonly result: ResultOf<T> | null;
}
