import type { AuthToken } from './types.js';

export type TokenSource = () => AuthToken | undefined;

/** The token to send; null for none. */
export async function bearerOf(token: AuthToken | undefined): Promise<string | null> {
  return (typeof token === 'function' ? await token() : token) ?? null;
}

/** Who keeps a client awake, and with which tokens; the latest one's counts. */
export class Holders {
  readonly #sources: { readonly token: TokenSource }[] = [];

  get isEmpty_(): boolean {
    return this.#sources.length === 0;
  }

  /** Returns how to leave, which says whether it was a holder until then. */
  add_(token: TokenSource): () => boolean {
    const holder = { token };
    this.#sources.push(holder);
    return () => {
      const index = this.#sources.indexOf(holder);
      if (index === -1) return false;
      this.#sources.splice(index, 1);
      return true;
    };
  }

  /** Whether asking again may give another token. */
  get canRenewToken_(): boolean {
    return typeof this.#latest() === 'function';
  }

  token_(): Promise<string | null> {
    return bearerOf(this.#latest());
  }

  /** The token of whoever came last and has one. */
  #latest(): AuthToken | undefined {
    return this.#sources.map((holder) => holder.token()).findLast((token) => token !== undefined);
  }
}
