"""The workers' own small health page, for orchestrators that ask over HTTP.

A process that runs jobs tells of its workers. The parent of several such processes answers for
all of them: it asks each over a socket on loopback, which it opened and gave to that child, so
that no port can be taken in between and a child started anew is found where its predecessor was.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.health import LIVE, LIVE_PATH, READY_PATH, Condition, Health, word

if TYPE_CHECKING:  # the parent of a group answers for workers that it does not load
    from careerlens.foundation.settings import Settings
    from careerlens.worker import Worker

INHERITED_SOCKET = "CAREERLENS_HEALTH_SOCKET"
"""Variable with the number of the listening socket that a child was given to answer on."""
_REQUEST_TIMEOUT_S = 5.0

AskHealth = Callable[[], Awaitable[Health]]


@asynccontextmanager
async def serve_health(settings: Settings, ask: AskHealth) -> AsyncIterator[None]:
    """Answer /health/live, and /health/ready by `ask`, on `WORKER_HEALTH_PORT` where that is set.

    In a child of a group: on the socket that it was given, instead.

    Raises `ConfigurationError` when the port is taken.
    """
    server = await _listen(settings, ask)
    if server is None:
        yield
        return
    async with server:
        yield


async def _listen(settings: Settings, ask: AskHealth) -> asyncio.Server | None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, ask)

    inherited = os.environ.pop(INHERITED_SOCKET, None)
    if inherited is not None:
        given = socket.socket(fileno=int(inherited))
        given.set_inheritable(False)  # not for the processes of jobs
        return await asyncio.start_server(answer, sock=given)
    if settings.worker_health_port is None:
        return None
    try:
        return await asyncio.start_server(
            answer, settings.listen_host(None), settings.worker_health_port
        )
    except OSError as error:
        raise ConfigurationError(
            "WORKER_HEALTH_PORT",
            f"port {settings.worker_health_port} cannot be used ({error.strerror}).",
            "Choose another one, or leave it unset.",
        ) from error


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: AskHealth
) -> None:
    try:
        async with asyncio.timeout(_REQUEST_TIMEOUT_S):
            request = await reader.readuntil(b"\r\n")
            while (await reader.readuntil(b"\r\n")) != b"\r\n":
                pass
            writer.write(await _response(request, ask))
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return
    finally:
        writer.close()


async def _response(request: bytes, ask: AskHealth) -> bytes:
    path = request.split(b" ")[1:2]
    if path == [LIVE_PATH.encode()]:
        return _http(LIVE.http_status, LIVE.as_wire())
    if path == [READY_PATH.encode()]:
        health = await ask()
        return _http(health.http_status, health.as_wire())
    return _http(404, {"detail": f"There is only {LIVE_PATH} and {READY_PATH}."})


def health_of(workers: Sequence[Worker]) -> Health:
    """How this process is: ready when every worker of it runs and reaches its server."""
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
