/**
 * A question that is asked one at a time. Who asks while an answer is on its way shares that, and
 * has it asked once more afterwards, since it may be too old.
 */
export function createQuestion<Answer>(ask: () => Promise<Answer>, mayRepeat: () => boolean): () => Promise<Answer> {
  let answer: Promise<Answer> | null = null;
  let isStale = false;

  return function askOnce() {
    isStale = answer !== null;
    return (answer ??= ask().finally(() => {
      answer = null;
      if (isStale && mayRepeat()) void askOnce();
    }));
  };
}
