"""The workers' own small page, for orchestrators and Prometheus, which ask over HTTP.

A process that runs jobs tells of its workers. The parent of several such processes answers for
all of them: it asks each over a socket on loopback, which it opened and gave to that child, so
that no port can be taken in between and a child started anew is found where its predecessor was.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.health import LIVE, LIVE_PATH, READY_PATH, Condition, Health, word
from careerlens.foundation.metrics import CONTENT_TYPE, METRICS_PATH, exposition
from careerlens.jobs.workermetrics import STATS_PATH, Stats, worker_metrics

if TYPE_CHECKING:  # the parent of a group answers for workers that it does not load
    from careerlens.foundation.settings import Settings
    from careerlens.worker import Worker

SELF = "worker"
"""What a process calls itself that is no group's parent."""
INHERITED_SOCKET = "CAREERLENS_HEALTH_SOCKET"
"""Variable with the number of the listening socket that a child was given to answer on."""
_REQUEST_TIMEOUT_S = 5.0

_MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered from. `stats` are those of each process by its name."""

    health: Callable[[], Awaitable[Health]]
    stats: Callable[[], Awaitable[Mapping[str, Stats]]]


@asynccontextmanager
async def serve_page(settings: Settings, page: Page) -> AsyncIterator[None]:
    """Answer /health/live, /health/ready and /metrics on `WORKER_HEALTH_PORT` where that is set.

    In a child of a group: on the socket that it was given, instead.

    Raises `ConfigurationError` when the port is taken.
    """
    server = await _listen(settings, page)
    if server is None:
        yield
        return
    async with server:
        yield


async def _listen(settings: Settings, page: Page) -> asyncio.Server | None:
    inherited = os.environ.pop(INHERITED_SOCKET, None)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, settings, page, is_child=inherited is not None)

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
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    settings: Settings,
    page: Page,
    *,
    is_child: bool,
) -> None:
    try:
        async with asyncio.timeout(_REQUEST_TIMEOUT_S):
            path, headers = await _head(reader)
            if path == METRICS_PATH:
                peer = writer.get_extra_info("peername")
                answer = await _metrics(settings, page, headers, peer[0] if peer else None)
            elif path == STATS_PATH and is_child:
                answer = _http(200, (await page.stats())[SELF])
            else:
                answer = await _health(path, page)
            writer.write(answer)
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The path that is asked for, and the headers that say by whom.

    Raises `ConnectionError` for a head without end.
    """
    _, _, rest = (await reader.readuntil(b"\r\n")).decode("latin-1").partition(" ")
    headers: dict[str, str] = {}
    for _ in range(_MOST_LINES):
        line = (await reader.readuntil(b"\r\n")).decode("latin-1").strip()
        if not line:
            return rest.partition(" ")[0], headers
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    raise ConnectionError("the head has too many lines")


async def _health(path: str, page: Page) -> bytes:
    if path == LIVE_PATH:
        return _http(LIVE.http_status, LIVE.as_wire())
    if path == READY_PATH:
        health = await page.health()
        return _http(health.http_status, health.as_wire())
    return _http(404, {"detail": f"There is only {LIVE_PATH}, {READY_PATH} and {METRICS_PATH}."})


async def _metrics(
    settings: Settings, page: Page, headers: Mapping[str, str], peer: str | None
) -> bytes:
    # Only who is asked for metrics needs what tells callers apart.
    from careerlens.auth import was_forwarded
    from careerlens.auth.scraping import ScrapingRule, Verdict

    verdict = ScrapingRule(settings).judge(
        headers.get("authorization"),
        peer=None if was_forwarded(headers) else peer,
        host=headers.get("host"),
    )
    if verdict is Verdict.UNPROVEN:
        return _http(401, {"detail": "Send CAREERLENS_METRICS_TOKEN as a bearer token."})
    if verdict is Verdict.HIDDEN:
        return await _health("", page)
    text = await exposition(worker_metrics(await page.stats()))
    return _answer_of(200, CONTENT_TYPE, text)


def health_of(workers: Sequence[Worker]) -> Health:
    """How this process is: ready when every worker of it runs and reaches its server."""
    is_whole = all(worker.is_healthy for worker in workers)
    condition = Condition.READY if is_whole else Condition.NOT_READY
    if any(worker.is_stopping for worker in workers):
        condition = Condition.DRAINING
    running = sum(worker.stats.running for worker in workers)
    return Health(condition=condition, checks={"redis": word(is_whole), "running": running})


def _http(status: int, body: Mapping[str, object]) -> bytes:
    return _answer_of(status, "application/json", json.dumps(body).encode())


def _answer_of(status: int, kind: str, content: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n"
    if status == 401:
        head += "WWW-Authenticate: Bearer\r\n"
    return f"{head}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode() + content
