"""Node and Python producers and workers share one queue of a cluster."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import open_link
from careerlens.worker import ActiveJob, Worker
from support import eventually, running
from topologies import Cluster, cluster

QUEUE, PREFIX, EACH = "shared", "{bull}", 200
HERE = Path(__file__).parent


async def test_every_job_completes_and_none_is_run_by_both(tmp_path: Path) -> None:
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()

    async def work(job: ActiveJob) -> None:
        if job.record.data["fails"] and job.attempt == 1:
            raise ValueError("once")
        ours[job.record.id] += 1

    async with cluster(tmp_path) as trio, open_link(trio.url) as link:
        queue = Queue(QUEUE, link, prefix=PREFIX)
        await queue.open()
        jobs = [
            NewJob(
                name=QUEUE,
                data={"fails": number % 10 == 0},
                options=JobOptions(job_id=f"python-{number}", attempts=2),
            )
            for number in range(EACH)
        ]

        async def are_completed() -> bool:
            counts = await queue.counts()
            return counts["completed"] == sum(counts.values()) == 2 * EACH

        worker = Worker(QUEUE, work, redis_url=trio.url, prefix=PREFIX)
        async with running_node(trio, theirs):
            await eventually(lambda: len(theirs) > 10, within=30)
            async with running(worker):
                await queue.add_bulk(jobs)
                await eventually(are_completed, within=30)
    assert set(ours) | set(theirs) == {
        f"{producer}-{number}" for producer in ("python", "node") for number in range(EACH)
    }
    assert set((ours + theirs).values()) == {1}
    assert ours
    assert theirs
    assert worker.stats.failed == 0


@asynccontextmanager
async def running_node(of: Cluster, done: Counter[str]) -> AsyncIterator[None]:
    """A Node process that adds and works; `done` counts what it has run."""
    process = await asyncio.create_subprocess_exec(
        "node",
        HERE / "cluster_peer.mjs",
        ",".join(f"127.0.0.1:{node.port}" for node in of.primaries),
        QUEUE,
        PREFIX,
        str(EACH),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            done[line.decode().strip()] += 1

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            raise
        await listening
