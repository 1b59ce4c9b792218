"""A worker that runs for a long time: every job once, and memory that stops growing.

make soak                 # a million jobs
make soak JOBS=200000
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from server import own_server

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions

JOBS = int(os.environ.get("JOBS") or 1_000_000)
BATCH = 1_000
MAX_WAITING = 20_000
MAX_GROWTH_KB = 64 * 1024


def peak_memory_kb() -> int:
    """The most memory this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


async def test_a_worker_runs_every_job_once_and_its_memory_stays_flat() -> None:
    """After the first tenth, the process grows by less than 64 MB."""
    with own_server() as url:
        link = Link(url, name="soak")
        await link.connect()
        queue = Queue("soak", link)
        await queue.open()
        ran = bytearray(JOBS)
        ended = 0
        progressed = asyncio.Event()

        async def count(job: ActiveJob) -> None:
            nonlocal ended
            ran[job.record.data["number"]] += 1
            ended += 1
            progressed.set()

        worker = Worker("soak", count, redis_url=url, options=WorkerOptions(concurrency=50))
        running = asyncio.create_task(worker.run())
        options = JobOptions(remove_on_complete=True, remove_on_fail=True)
        settled_kb = 0
        for start in range(0, JOBS, BATCH):
            numbers = range(start, min(start + BATCH, JOBS))
            await queue.add_bulk(
                [NewJob(name="soak", data={"number": n}, options=options) for n in numbers]
            )
            while start - ended > MAX_WAITING:
                progressed.clear()
                await progressed.wait()
            if not settled_kb and ended >= JOBS // 10:
                settled_kb = peak_memory_kb()
        while ended < JOBS:
            progressed.clear()
            await progressed.wait()
        await worker.stop(grace_s=30)
        await running
        await link.close()
        assert ran == bytearray([1]) * JOBS
        assert peak_memory_kb() - settled_kb < MAX_GROWTH_KB
