/** Where the Socket.IO gateway is, when nobody has said. */

import { isFields, textOf } from './wire.js';

declare const process: { readonly env: { readonly NEXT_PUBLIC_SOCKET_URL?: string } };

const GATEWAY_PORT = 3001;
const answers = new Map<string, Promise<string | null>>();

/** `NEXT_PUBLIC_SOCKET_URL`, or what the API's configuration says, or port 3001 of the API's host. */
export async function findSocketUrl(apiUrl: string): Promise<string> {
  return bundledUrl() ?? (await configuredUrl(apiUrl)) ?? defaultUrl(apiUrl);
}

/** Bundlers replace this very expression by its value; without one, `process` may not exist. */
function bundledUrl(): string | null {
  try {
    return process.env.NEXT_PUBLIC_SOCKET_URL || null;
  } catch {
    return null;
  }
}

/** Asked once for each API, unless the question did not get through. */
function configuredUrl(apiUrl: string): Promise<string | null> {
  const known = answers.get(apiUrl);
  if (known !== undefined) return known;
  const answer = fetchUrl(apiUrl).catch(() => {
    answers.delete(apiUrl);
    return null;
  });
  answers.set(apiUrl, answer);
  return answer;
}

async function fetchUrl(apiUrl: string): Promise<string | null> {
  const response = await fetch(`${apiUrl}/api/config`, { headers: { accept: 'application/json' } });
  if (!response.ok) return null;
  const config: unknown = await response.json();
  return isFields(config) ? textOf(config['socketUrl']) : null;
}

function defaultUrl(apiUrl: string): string {
  const { protocol, hostname } = new URL(apiUrl || '/', location.href);
  return `${protocol}//${hostname}:${GATEWAY_PORT}`;
}
