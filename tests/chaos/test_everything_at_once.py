"""Workers come and go, connections are cut, scripts forgotten, jobs cancelled: all at once.

`CHAOS_SEED`, `CHAOS_JOBS` and `CHAOS_SECONDS` make it another one, or a longer one.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from careerlens.queue import CancelOutcome, JobOptions, NewJob, Queue, QueueState
from careerlens.wire import Link, QueueKeys
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from faults import FaultProxy, fault_proxy
from support import Valkey, eventually

QUEUE = "everything"
KEYS = QueueKeys(QUEUE)
SEED = int(os.environ.get("CHAOS_SEED", "7"))
JOBS = int(os.environ.get("CHAOS_JOBS", "2000"))
DISTURBED_S = float(os.environ.get("CHAOS_SECONDS", "6"))

KINDS = ("short", "long", "fails", "fails once")
ATTEMPTS = {"short": 1, "long": 1, "fails": 2, "fails once": 2}


class Handler:
    """Does what a job's kind says, and counts its runs."""

    def __init__(self, chance: random.Random) -> None:
        self.runs: Counter[str] = Counter()
        self._chance = chance

    async def __call__(self, job: ActiveJob) -> str:
        self.runs[job.record.id] += 1
        kind = str(job.record.data["kind"])
        if kind == "long":
            await asyncio.sleep(self._chance.uniform(0.001, 0.3))
            await job.update_progress(50)
        if kind == "fails" or (kind == "fails once" and job.attempt == 1):
            raise ValueError(kind)
        return kind


class Crew:
    """Three workers behind one proxy, each of which may be replaced at any time."""

    def __init__(self, url: str, handler: Handler) -> None:
        self._url = url
        self._handler = handler
        self._members: list[tuple[Worker, asyncio.Task[None]]] = []
        self._sizes = (1, 6, 50)

    def start(self) -> None:
        self._members = [self._hire(size) for size in self._sizes]

    def _hire(self, concurrency: int) -> tuple[Worker, asyncio.Task[None]]:
        options = WorkerOptions(
            concurrency=concurrency,
            lock_duration_ms=2_000,
            lock_renew_ms=500,
            stalled_interval_ms=500,
            max_stalled_count=1_000,
        )
        worker = Worker(QUEUE, self._handler, redis_url=self._url, options=options)
        return worker, asyncio.create_task(worker.run())

    async def replace(self, index: int, *, is_cancelled: bool) -> None:
        worker, run = self._members[index]
        self._members[index] = self._hire(worker.options.concurrency)
        if is_cancelled:
            run.cancel()
            await asyncio.wait([run])
        else:
            await worker.stop(grace_s=0.5)
            await run

    async def end(self) -> None:
        for worker, run in self._members:
            await worker.stop(grace_s=5)
            await run


@asynccontextmanager
async def crew(url: str, handler: Handler) -> AsyncIterator[Crew]:
    crew = Crew(url, handler)
    crew.start()
    try:
        yield crew
    finally:
        await crew.end()


async def disturb(
    chance: random.Random, proxy: FaultProxy, crew: Crew, queue: Queue, link: Link
) -> set[str]:
    """Make trouble for a while; the ids of jobs whose cancellation was asked for in time."""
    cancelled = set()
    loop = asyncio.get_running_loop()
    until = loop.time() + DISTURBED_S
    while loop.time() < until:
        trouble = chance.choices(
            ("cancel", "flush", "cut", "pause", "replace", "lose"), (20, 4, 2, 2, 2, 3)
        )[0]
        if trouble == "cancel":
            newest = int(await link.call("GET", f"{KEYS.base}id"))
            job_id = str(newest - chance.randrange(30))
            if await queue.cancel(job_id) in {CancelOutcome.CANCELLED, CancelOutcome.REQUESTED}:
                cancelled.add(job_id)
        elif trouble == "flush":
            await link.call("SCRIPT", "FLUSH")
        elif trouble == "cut":
            proxy.cut_all()
        elif trouble == "lose":
            proxy.lose_reply_of(b"EVALSHA")
        elif trouble == "pause":
            await queue.pause()
            await asyncio.sleep(chance.uniform(0, 0.1))
            await queue.resume()
        else:
            await crew.replace(chance.randrange(3), is_cancelled=chance.random() < 0.5)
        await asyncio.sleep(chance.uniform(0, 0.05))
    return cancelled


async def test_every_job_ends_once_and_as_it_should(
    valkey_server: Valkey, redis_url: str, link: Link
) -> None:
    chance = random.Random(SEED)
    queue = Queue(QUEUE, link)
    await queue.open()
    await link.call("HSET", KEYS.meta, "opts.maxLenEvents", 1_000_000)
    kinds = [chance.choices(KINDS, (70, 15, 5, 10))[0] for _ in range(JOBS)]
    new = [
        NewJob(
            name=QUEUE,
            data={"kind": kind},
            options=JobOptions(attempts=ATTEMPTS[kind], priority=chance.choice((0, 0, 5))),
        )
        for kind in kinds
    ]
    handler = Handler(chance)
    async with fault_proxy(valkey_server.port) as proxy, crew(proxy.url, handler) as workers:
        adding = asyncio.create_task(add_slowly(queue, new))
        await eventually(lambda: len(handler.runs) > 10)
        cancelled = await disturb(chance, proxy, workers, queue, link)
        ids = await adding

        async def is_over() -> bool:
            counts = await queue.counts()
            return counts["completed"] + counts["failed"] == sum(counts.values()) == JOBS

        await eventually(is_over, within=30)
    assert await link.call("LLEN", KEYS.active) == 0
    ends = await terminal_events(link)
    assert ends == Counter(ids)
    starts = 0
    for job_id, kind in zip(ids, kinds, strict=True):
        record, state = await queue.job_and_state(job_id)
        assert record is not None
        assert not await link.call("EXISTS", KEYS.lock(job_id))
        wanted = QueueState.FAILED if kind == "fails" else QueueState.COMPLETED
        story = (job_id, kind, state, record.raw, handler.runs[job_id])
        if record.error_code == "cancelled":
            assert job_id in cancelled, story
        else:
            assert state is wanted, story
            assert record.attempts_made == ATTEMPTS[kind], story
            assert handler.runs[job_id] >= record.attempts_made, story
            assert record.attempts_started >= record.attempts_made, story
        starts += record.attempts_started
    assert starts < 2 * JOBS, "jobs are taken and given back again and again"


async def add_slowly(queue: Queue, new: list[NewJob]) -> list[str]:
    """Add the jobs in loads, so that the workers are busy and idle by turns."""
    batch = len(new) // 20
    ids = []
    for start in range(0, len(new), batch):
        ids += await queue.add_bulk(new[start : start + batch])
        await asyncio.sleep(DISTURBED_S / 20)
    return ids


async def terminal_events(link: Link) -> Counter[str]:
    ends: Counter[str] = Counter()
    for _, flat in await link.call("XRANGE", KEYS.events, "-", "+"):
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        if fields[b"event"] in {b"completed", b"failed"}:
            ends[fields[b"jobId"].decode()] += 1
    return ends
