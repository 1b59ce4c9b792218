"""The worker's own small health page, for orchestrators that ask over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.health import LIVE, LIVE_PATH, READY_PATH, Condition, Health, word
from careerlens.foundation.settings import Settings
from careerlens.worker import Worker

_REQUEST_TIMEOUT_S = 5.0


@asynccontextmanager
async def serve_health(settings: Settings, workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Answer /health/live and /health/ready on `WORKER_HEALTH_PORT`, where that is set.

    Raises `ConfigurationError` when the port is taken.
    """
    if settings.worker_health_port is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, workers)

    host = settings.listen_host(None)
    try:
        server = await asyncio.start_server(answer, host, settings.worker_health_port)
    except OSError as error:
        raise ConfigurationError(
            "WORKER_HEALTH_PORT",
            f"port {settings.worker_health_port} cannot be used ({error.strerror}).",
            "Choose another one, or leave it unset.",
        ) from error
    async with server:
        yield


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, workers: Sequence[Worker]
) -> None:
    try:
        async with asyncio.timeout(_REQUEST_TIMEOUT_S):
            request = await reader.readuntil(b"\r\n")
            while (await reader.readuntil(b"\r\n")) != b"\r\n":
                pass
            writer.write(_response(request, workers))
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return
    finally:
        writer.close()


def _response(request: bytes, workers: Sequence[Worker]) -> bytes:
    path = request.split(b" ")[1:2]
    if path == [LIVE_PATH.encode()]:
        return _http(LIVE.http_status, LIVE.as_wire())
    if path == [READY_PATH.encode()]:
        health = _health_of(workers)
        return _http(health.http_status, health.as_wire())
    return _http(404, {"detail": f"There is only {LIVE_PATH} and {READY_PATH}."})


def _health_of(workers: Sequence[Worker]) -> Health:
    is_whole = all(worker.is_healthy for worker in workers)
    condition = Condition.READY if is_whole else Condition.NOT_READY
    if any(worker.is_stopping for worker in workers):
        condition = Condition.DRAINING
    running = sum(worker.stats.running for worker in workers)
    return Health(condition=condition, checks={"redis": word(is_whole), "running": running})


def _http(status: int, body: dict[str, object]) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    return f"{head}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode() + content
