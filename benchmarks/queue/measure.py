"""How fast the queue is: jobs added and drained per second, and how soon an idle worker starts.

    make bench            # or: python benchmarks/queue/measure.py --jobs 20000 --runs 5

Jobs do nothing; everything else is on: locks, renewals, retries, events. Each run has a server of
its own. Writes `benchmarks/results/queue.json`:
`{metric: {system: {"median", "min", "max", "runs"}}}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from server import own_server

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions

RESULTS = Path(__file__).parents[1] / "results" / "queue.json"
SYSTEM = "careerlens"
QUEUE = "bench"
CONCURRENCY = 50
IN_FLIGHT = 200
BATCH = 1_000
PICKUPS = 200
IDLE_S = 0.02


async def run_once(url: str, jobs: int) -> dict[str, float]:
    """Every metric once, on the empty server at `url`."""
    link = Link(url, name="bench")
    await link.connect()
    queue = Queue(QUEUE, link)
    await queue.open()
    try:
        found = {"enqueue": await enqueue(queue, jobs)}
        found["drain_c50"] = await drain(url, jobs)
        found["enqueue_bulk"] = await enqueue_bulk(queue, jobs)
        found["drain_prioritized_c50"] = await drain(url, jobs)
        found.update(await pick_up(url, queue))
    finally:
        await link.close()
    return found


async def enqueue(queue: Queue, jobs: int) -> float:
    """Jobs per second added by many callers at once, each awaiting its own."""
    left = iter(range(jobs))

    async def caller() -> None:
        for number in left:
            await queue.add(QUEUE, {"number": number})

    started = perf_counter()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return jobs / (perf_counter() - started)


async def enqueue_bulk(queue: Queue, jobs: int) -> float:
    """Prioritised jobs per second added in batches, which leaves them for `drain`."""
    options = JobOptions(priority=1)
    started = perf_counter()
    for start in range(0, jobs, BATCH):
        numbers = range(start, min(start + BATCH, jobs))
        await queue.add_bulk(
            [NewJob(name=QUEUE, data={"number": n}, options=options) for n in numbers]
        )
    return jobs / (perf_counter() - started)


async def drain(url: str, jobs: int) -> float:
    """Jobs per second that one worker ends, from its start to the last one."""
    done = asyncio.Event()
    ended = 0

    async def nothing(_job: ActiveJob) -> None:
        nonlocal ended
        ended += 1
        if ended == jobs:
            done.set()

    worker = Worker(QUEUE, nothing, redis_url=url, options=WorkerOptions(concurrency=CONCURRENCY))
    started = perf_counter()
    running = asyncio.create_task(worker.run())
    await done.wait()
    await worker.stop(grace_s=10)
    taken = perf_counter() - started
    await running
    return jobs / taken


async def pick_up(url: str, queue: Queue) -> dict[str, float]:
    """Milliseconds from adding a job to its handler's start, the worker being idle."""
    started: asyncio.Queue[float] = asyncio.Queue()

    async def note(_job: ActiveJob) -> None:
        started.put_nowait(perf_counter())

    worker = Worker(QUEUE, note, redis_url=url)
    running = asyncio.create_task(worker.run())
    await worker.ready()
    waits = []
    for number in range(PICKUPS):
        await asyncio.sleep(IDLE_S)
        added = perf_counter()
        await queue.add(QUEUE, {"number": number})
        waits.append((await started.get() - added) * 1000)
    await worker.stop(grace_s=10)
    await running
    percentiles = statistics.quantiles(waits, n=100)
    return {"pickup_p50_ms": percentiles[49], "pickup_p99_ms": percentiles[98]}


def summarise(runs: Sequence[Mapping[str, float]]) -> dict[str, dict[str, dict[str, float]]]:
    """Median, minimum and maximum of each metric."""
    return {
        metric: {
            SYSTEM: {
                "median": round(statistics.median(run[metric] for run in runs), 3),
                "min": round(min(run[metric] for run in runs), 3),
                "max": round(max(run[metric] for run in runs), 3),
                "runs": len(runs),
            }
        }
        for metric in runs[0]
    }


def new_loop() -> asyncio.AbstractEventLoop:
    """The loop that our processes serve on."""
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    runs = []
    for _ in range(arguments.runs):
        with own_server() as url, asyncio.Runner(loop_factory=new_loop) as runner:
            runs.append(runner.run(run_once(url, arguments.jobs)))
    results = summarise(runs)
    for metric, systems in results.items():
        figure = systems[SYSTEM]
        spread = f"({figure['min']:,.2f} to {figure['max']:,.2f})"
        print(f"{metric:24} {figure['median']:12,.2f}   {spread}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(f"Written to {RESULTS}")


if __name__ == "__main__":
    main()
