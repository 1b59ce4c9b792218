/** What happens to the page that the client lives in. */

export interface PageLife {
  /** The network is back. */
  readonly online: () => void;
  readonly offline: () => void;
  /** The user looks at the page again. */
  readonly shown: () => void;
  /** The last good moment to put things away. */
  readonly hidden: () => void;
  /** The browser stops the page, with all its timers, and may let it go on later. */
  readonly frozen: () => void;
  readonly thawed: () => void;
}

/** Be told of `life` until the returned function is called. Outside browsers nothing happens. */
export function watchPage(life: PageLife): () => void {
  if (typeof document === 'undefined') return () => undefined;
  const watching = new AbortController();
  const { signal } = watching;
  const turned = (): void => (isHidden() ? life.hidden() : life.shown());
  addEventListener('online', life.online, { signal });
  addEventListener('offline', life.offline, { signal });
  addEventListener('pagehide', ({ persisted }) => (persisted ? life.frozen() : life.hidden()), { signal });
  addEventListener('pageshow', ({ persisted }) => (persisted ? life.thawed() : undefined), { signal });
  document.addEventListener('visibilitychange', turned, { signal });
  document.addEventListener('freeze', life.frozen, { signal });
  document.addEventListener('resume', life.thawed, { signal });
  return () => watching.abort();
}

/** Whether nobody can see the page. Outside browsers there is nobody who could look away. */
export function isHidden(): boolean {
  return globalThis.document?.visibilityState === 'hidden';
}

/** Whether the browser knows that there is no network. It may be wrong about there being one. */
export function isOffline(): boolean {
  return globalThis.navigator?.onLine === false;
}
