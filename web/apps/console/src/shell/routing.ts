import { useCallback, useSyncExternalStore } from 'react';

/** Where the reader is. A job's link is `#/jobs/<id>`, and `#/jobs/<id>/<section>` inside its report. */
export type Route =
  | { readonly page: 'home' }
  | { readonly page: 'job'; readonly jobId: string; readonly section: string | null }
  | { readonly page: 'unknown' };

const HOME: Route = { page: 'home' };
const UNKNOWN: Route = { page: 'unknown' };

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/**
 * Reads a location hash.
 *
 * A job id is one percent-encoded path part: ids hold `:` and, for some users, `%`, so a part is
 * decoded exactly once.
 */
export function parseRoute(hash: string): Route {
  const parts = hash
    .replace(/^#/, '')
    .split('/')
    .filter((part) => part !== '');
  if (parts.length === 0) return HOME;
  const [head, id, section, ...rest] = parts;
  if (head !== 'jobs' || id === undefined || rest.length > 0) return UNKNOWN;
  const jobId = decode(id);
  if (jobId === null || jobId.trim() === '') return UNKNOWN;
  return { page: 'job', jobId, section: section ?? null };
}

/** The link of a job's page, or of a section of its report. */
export function jobLink(jobId: string, section?: string): string {
  const base = `#/jobs/${encodeURIComponent(jobId)}`;
  return section === undefined ? base : `${base}/${encodeURIComponent(section)}`;
}

export const HOME_LINK = '#/';

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => {
    window.removeEventListener('hashchange', listener);
  };
}

/** The current hash as a route, and a way to go elsewhere. */
export function useRoute(): { route: Route; go: (link: string) => void } {
  const hash = useSyncExternalStore(
    subscribe,
    () => window.location.hash,
    () => '',
  );
  const go = useCallback((link: string) => {
    window.location.hash = link;
  }, []);
  return { route: parseRoute(hash), go };
}
