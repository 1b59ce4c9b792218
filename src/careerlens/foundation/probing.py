"""Asking a process of ours how it is, over HTTP, as an orchestrator would."""

from __future__ import annotations

import asyncio

_TIMEOUT_S = 2.0


async def answers_ok(host: str, port: int, path: str) -> bool:
    """Whether an HTTP server there answers `path` with 200."""
    address = "127.0.0.1" if host in {"0.0.0.0", ""} else "::1" if host == "::" else host  # noqa: S104
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n".encode())
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status_line.split()[1:2] == [b"200"]
