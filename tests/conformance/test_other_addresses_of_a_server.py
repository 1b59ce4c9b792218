"""A server is reached by every spelling of its address that the settings promise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from careerlens.foundation.redis import connect, ping
from careerlens.queue import Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from conftest import ValkeyFactory
from support import eventually, running


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the path of a socket holds a hundred characters at most."""
    with tempfile.TemporaryDirectory(prefix="cl-") as name:
        yield Path(name)


@pytest.mark.parametrize("spelling", ["unix://{socket}", "unix://{socket}?db=1", "valkey://{host}"])
async def test_client_link_and_worker_reach_it(
    folder: Path, valkey_factory: ValkeyFactory, spelling: str
) -> None:
    socket = folder / "valkey.sock"
    server = valkey_factory(unixsocket=str(socket))
    url = spelling.format(socket=socket, host=f"127.0.0.1:{server.port}/0")
    async with connect(url) as client:
        await ping(client)
    done: list[str] = []

    async def run_until_its_lock_is_renewed(job: ActiveJob) -> None:
        left_ms = [await link.call("PTTL", queue.keys.lock(job.record.id))]

        async def grows() -> bool:
            left_ms.append(await link.call("PTTL", queue.keys.lock(job.record.id)))
            return bool(left_ms[-1] > left_ms[-2])

        await eventually(grows)
        done.append(job.record.id)

    async with Link(url) as link:
        queue = Queue("echo", link)
        options = WorkerOptions(lock_renew_ms=100)
        worker = Worker("echo", run_until_its_lock_is_renewed, redis_url=url, options=options)
        async with running(worker):
            job_id = await queue.add("echo", {})
            await eventually(lambda: done == [job_id])
