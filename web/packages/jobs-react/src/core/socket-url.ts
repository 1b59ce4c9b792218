/** Where the Socket.IO gateway is, when nobody has said. */

import { fieldsOf, textOf } from './wire.js';

declare const process: { readonly env: { readonly NEXT_PUBLIC_SOCKET_URL?: string } };

const GATEWAY_PORT = 3001;

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

async function configuredUrl(apiUrl: string): Promise<string | null> {
  try {
    const response = await fetch(`${apiUrl}/api/config`, { headers: { accept: 'application/json' } });
    return textOf(fieldsOf(await response.json())['socketUrl']);
  } catch {
    return null;
  }
}

function defaultUrl(apiUrl: string): string {
  const { protocol, hostname } = new URL(apiUrl || '/', location.href);
  return `${protocol}//${hostname}:${GATEWAY_PORT}`;
}
