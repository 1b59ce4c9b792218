"""A queue lives the same life over every kind of connection that REDIS_URL can name."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import open_link
from careerlens.worker import ActiveJob, Worker
from queue_life import live_through
from support import Valkey, eventually, running
from topologies import Authority, cluster, give_rights, tls_in_front_of, watched_primary


@pytest.fixture
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of servers of this test's own, of the kind that it asks for."""
    async with _KINDS[request.param](tmp_path) as url:
        yield url


@asynccontextmanager
async def _server(folder: Path, **settings: str) -> AsyncIterator[Valkey]:
    server = Valkey(folder, durable=False, **settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def _tcp(folder: Path) -> AsyncIterator[str]:
    async with _server(folder) as server:
        yield server.url


@asynccontextmanager
async def _unix_socket(folder: Path) -> AsyncIterator[str]:
    # The path of a socket holds a hundred characters at most.
    with tempfile.TemporaryDirectory(prefix="cl-") as short:
        async with _server(folder, unixsocket=f"{short}/s"):
            yield f"unix://{short}/s"


@asynccontextmanager
async def _tls(folder: Path) -> AsyncIterator[str]:
    authority = Authority(folder)
    context = authority.server_context(asks_for_certificate=True)
    certificate, key = authority.issue("client")
    async with _server(folder) as server, tls_in_front_of(server.port, context) as port:
        trust = f"ssl_ca_certs={authority.ca}&ssl_certfile={certificate}&ssl_keyfile={key}"
        yield f"rediss://127.0.0.1:{port}/0?{trust}"


@asynccontextmanager
async def _user_of_few_rights(folder: Path) -> AsyncIterator[str]:
    async with _server(folder) as server:
        yield f"redis://{give_rights(server)}127.0.0.1:{server.port}"


@asynccontextmanager
async def _sentinel(folder: Path) -> AsyncIterator[str]:
    async with watched_primary(folder) as watched:
        yield watched.url


@asynccontextmanager
async def _cluster(folder: Path) -> AsyncIterator[str]:
    async with cluster(folder) as trio:
        yield trio.url


@asynccontextmanager
async def _cluster_user_of_few_rights(folder: Path) -> AsyncIterator[str]:
    async with cluster(folder) as trio:
        for node in trio.primaries:
            login = give_rights(node, "~{bull}:*", "+asking", "+cluster|slots")
        yield trio.url.replace("://", f"://{login}")


_KINDS = {
    "tcp": _tcp,
    "unix": _unix_socket,
    "tls": _tls,
    "acl": _user_of_few_rights,
    "sentinel": _sentinel,
    "cluster": _cluster,
    "cluster-acl": _cluster_user_of_few_rights,
}


@pytest.mark.parametrize("url", list(_KINDS), indirect=True)
async def test_a_queue_lives(url: str) -> None:
    await live_through(url, prefix="{bull}" if "cluster" in url else "bull")


@pytest.mark.parametrize("kind", list(_KINDS))
def test_a_queue_lives_on_uvloop(kind: str, tmp_path: Path) -> None:
    """As the commands of the product run it."""

    async def live() -> None:
        async with _KINDS[kind](tmp_path) as url:
            await live_through(url, prefix="{bull}" if "cluster" in url else "bull")

    uvloop.run(live())


def test_jobs_fall_due_on_uvloop(redis_url: str) -> None:
    """Many times a job is due at the moment at which a worker sets its alarm for it."""

    async def live() -> None:
        async def work(job: ActiveJob) -> None: ...

        worker = Worker("due", work, redis_url=redis_url)
        async with open_link(redis_url) as link, running(worker):
            queue = Queue("due", link)
            jobs = [
                NewJob(name="due", data={}, options=JobOptions(delay_ms=delay_ms))
                for delay_ms in range(1, 201)
            ]
            await queue.add_bulk(jobs)
            await eventually(lambda: worker.stats.completed == len(jobs))

    uvloop.run(live())
