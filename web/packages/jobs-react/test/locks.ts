import { onTestFinished } from 'vitest';

interface Claim {
  readonly name: string;
  readonly grant: () => void;
  readonly rob: () => void;
}

/**
 * The part of the Web Locks API that the client uses, by the rules of the specification: exclusive
 * locks, granted in order, given up by a signal while waiting, or stolen. jsdom has none.
 */
class Locks {
  readonly #held = new Map<string, Claim>();
  #waiting: Claim[] = [];

  async request(name: string, options: LockOptions, callback: () => unknown): Promise<unknown> {
    const { steal = false, signal } = options;
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(new DOMException('The lock request was aborted.', 'AbortError'));
      const release = (): void => {
        if (this.#held.get(name) !== claim) return;
        this.#held.delete(name);
        this.#next(name);
      };
      const grant = (): void => {
        this.#held.set(name, claim);
        Promise.resolve(callback()).then(resolve, reject).finally(release);
      };
      const claim: Claim = { name, grant, rob: abort };
      if (steal) {
        this.#held.get(name)?.rob();
        queueMicrotask(grant);
        return;
      }
      signal?.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((other) => other !== claim);
        if (this.#held.get(name) !== claim) abort();
      });
      this.#waiting.push(claim);
      queueMicrotask(() => this.#next(name));
    });
  }

  async query(): Promise<LockManagerSnapshot> {
    const info = ({ name }: Claim): LockInfo => ({ name, mode: 'exclusive', clientId: 'test' });
    return { held: [...this.#held.values()].map(info), pending: this.#waiting.map(info) };
  }

  #next(name: string): void {
    if (this.#held.has(name)) return;
    const claim = this.#waiting.find((waiting) => waiting.name === name);
    if (claim === undefined) return;
    this.#waiting = this.#waiting.filter((other) => other !== claim);
    claim.grant();
  }
}

/** Give the test's window locks of its own until the test is over. */
export function installLocks(): LockManager {
  const locks = new Locks() as unknown as LockManager;
  Object.defineProperty(navigator, 'locks', { value: locks, configurable: true });
  onTestFinished(() => void Reflect.deleteProperty(navigator, 'locks'));
  return locks;
}
