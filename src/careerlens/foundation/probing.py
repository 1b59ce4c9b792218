"""Asking a process of ours how it is, over HTTP, as an orchestrator would."""

from __future__ import annotations

import asyncio
import json

from careerlens.foundation.health import READY_PATH, Condition, Health

_TIMEOUT_S = 2.0


async def answers_ok(host: str, port: int, path: str) -> bool:
    """Whether an HTTP server there answers `path` with 200."""
    status, _ = await _get(host, port, path)
    return status == 200


async def health_at(host: str, port: int) -> Health:
    """What the process there says of itself; not ready when it says nothing that we understand."""
    _, body = await _get(host, port, READY_PATH)
    try:
        return Health.from_wire(json.loads(body))
    except ValueError:
        return Health(condition=Condition.NOT_READY)


async def _get(host: str, port: int, path: str) -> tuple[int, bytes]:
    """The status and the body of the answer; 0 when there is none."""
    address = "127.0.0.1" if host in {"0.0.0.0", ""} else "::1" if host == "::" else host  # noqa: S104
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split()[1:2]
    return (int(status[0]) if status and status[0].isdigit() else 0), body
