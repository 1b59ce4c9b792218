"""A worker that runs for a long time: every job once, and memory that stops growing.

make soak                 # a million jobs, some minutes
make soak JOBS=200000
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

import processes
from server import own_server

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions

JOBS = int(os.environ.get("JOBS") or 1_000_000)
SETTLED = min(100_000, JOBS // 2)
"""After so many jobs, everything that a worker keeps has been there."""
BATCH = 500
MAX_WAITING = 5_000
MAX_GROWTH_MB = 8.0


def memory_mb() -> float:
    """What this process has now; where that is not told, the most that it has had."""
    if processes.can_be_told():
        return processes.memory_mb(os.getpid())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


class Marks:
    """The memory of this process, noted at every tenth of the jobs."""

    def __init__(self) -> None:
        self.settled_mb = 0.0
        self.highest_mb = 0.0
        """Since then."""
        self._began = time.perf_counter()
        print()

    def note(self, ended: int) -> None:
        now_mb = memory_mb()
        self.highest_mb = max(self.highest_mb, now_mb)
        if not self.settled_mb and ended >= SETTLED:
            self.settled_mb = self.highest_mb = now_mb
        pace = ended / (time.perf_counter() - self._began)
        print(f"  {ended:>9,} jobs  {now_mb:6.1f} MB  {pace:7,.0f} jobs/s", flush=True)


async def soak(url: str) -> None:
    ran = bytearray(JOBS)
    ended = 0
    marks = Marks()
    marked = 0
    progressed = asyncio.Event()

    async def count(job: ActiveJob) -> None:
        nonlocal ended
        ran[job.record.data["number"]] += 1
        ended += 1
        progressed.set()

    async def until_ended(least: int) -> None:
        nonlocal marked
        while ended < least:
            progressed.clear()
            await progressed.wait()
            if ended - marked >= min(JOBS // 10, SETTLED):
                marked = ended
                marks.note(ended)

    worker = Worker("soak", count, redis_url=url, options=WorkerOptions(concurrency=50))
    options = JobOptions(remove_on_complete=True, remove_on_fail=True)
    async with Link(url, name="soak") as link, asyncio.TaskGroup() as group:
        queue = Queue("soak", link)
        await queue.open()
        group.create_task(worker.run())
        for start in range(0, JOBS, BATCH):
            numbers = range(start, min(start + BATCH, JOBS))
            await queue.add_bulk(
                [NewJob(name="soak", data={"number": n}, options=options) for n in numbers]
            )
            await until_ended(numbers.stop - MAX_WAITING)
        await until_ended(JOBS)
        marks.note(ended)
        await worker.stop(grace_s=30)
    assert ran == bytearray([1]) * JOBS
    assert marks.highest_mb - marks.settled_mb < MAX_GROWTH_MB


def test_a_worker_runs_every_job_once_and_its_memory_stays_flat() -> None:
    """After the first hundred thousand jobs the process grows by less than 8 MB."""
    with own_server() as url:
        uvloop.run(soak(url))
