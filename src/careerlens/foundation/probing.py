"""Asking a process of ours how it is, over HTTP, as an orchestrator would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from careerlens.foundation.health import READY_PATH, Condition, Health

_TIMEOUT_S = 2.0


async def answers_ok(host: str, port: int, path: str) -> bool:
    """Whether an HTTP server there answers `path` with 200."""
    try:
        async with _asked(host, port, path) as answer:
            status_line = await answer.readline()
    except (OSError, TimeoutError):
        return False
    return status_line.split()[1:2] == [b"200"]


async def health_at(host: str, port: int) -> Health:
    """What the process there says of itself; not ready when it says nothing that we understand."""
    said = await object_at(host, port, READY_PATH)
    try:
        return Health.from_wire(said)
    except ValueError:
        return Health(condition=Condition.NOT_READY)


async def object_at(host: str, port: int, path: str) -> Any:
    """The JSON that the process there answers `path` with; None when it does not."""
    try:
        async with _asked(host, port, path) as answer:
            _, _, body = (await answer.read()).partition(b"\r\n\r\n")
        return json.loads(body)
    except (OSError, TimeoutError, ValueError):
        return None


@asynccontextmanager
async def _asked(host: str, port: int, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """What comes back, to be read in the time there is."""
    address = "127.0.0.1" if host in {"0.0.0.0", ""} else "::1" if host == "::" else host  # noqa: S104
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n".encode())
            yield reader
        finally:
            writer.close()
