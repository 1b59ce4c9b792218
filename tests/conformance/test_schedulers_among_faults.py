"""A scheduler goes on by exactly one job at a time, although connections fail meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from careerlens.queue import NewJob, Queue, Schedule
from careerlens.wire import Link
from careerlens.wire.scripts import bullmq_script, own_script
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from faults import FaultProxy, fault_proxy
from support import Valkey, eventually, running

QUEUE = "scheduled"
HOURLY = Schedule(every_ms=3_600_000)
JOB = NewJob(name="sweep", data={})
NEXT = bullmq_script("updateJobScheduler")


@pytest.fixture
async def queue(link: Link) -> Queue:
    queue = Queue(QUEUE, link)
    await queue.open()
    # Known to the server, the script is carried out although its reply is lost.
    await link.call("SCRIPT", "LOAD", NEXT.source)
    return queue


@pytest.fixture
async def proxy(valkey_server: Valkey, redis_url: str) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(valkey_server.port) as proxy:
        yield proxy


@pytest.mark.parametrize("losses", [1, 3])
async def test_a_lost_reply_makes_no_second_next_job(
    proxy: FaultProxy, queue: Queue, losses: int
) -> None:
    ran: list[str] = []

    async def note(job: ActiveJob) -> None:
        ran.append(job.record.id)

    first = await queue.schedulers.upsert("sweeper", HOURLY, JOB)
    proxy.lose_reply_of(NEXT.sha, times=losses)
    async with running(Worker(QUEUE, note, redis_url=proxy.url)) as worker:
        await eventually(lambda: worker.stats.completed == 1)
    assert proxy.lost == losses
    counts = await queue.counts()
    assert (counts["completed"], counts["delayed"], sum(counts.values())) == (1, 1, 2)
    assert ran == [first]
    scheduler = await queue.schedulers.get("sweeper")
    assert scheduler is not None
    assert scheduler.iterations == 2


async def test_whoever_rescues_a_job_makes_its_successor(
    proxy: FaultProxy, queue: Queue, redis_url: str
) -> None:
    """A worker that took it, and lost the server before it did anything, leaves both undone."""
    ran: list[str] = []

    async def note(job: ActiveJob) -> None:
        ran.append(job.record.id)

    quick = WorkerOptions(lock_duration_ms=1_000, lock_renew_ms=300, stalled_interval_ms=300)
    first = await queue.schedulers.upsert("sweeper", HOURLY, JOB)
    cut_off = Worker(QUEUE, note, redis_url=proxy.url, options=quick)
    proxy.lose_reply_of(own_script("take").sha, times=1_000)
    run = asyncio.create_task(cut_off.run())
    try:

        async def is_taken() -> bool:
            return (await queue.counts())["active"] == 1

        await eventually(is_taken)
        proxy.swallow_everything()
        async with running(Worker(QUEUE, note, redis_url=redis_url, options=quick)) as rescuer:
            await eventually(lambda: rescuer.stats.completed == 1)
    finally:
        await cut_off.stop(grace_s=1)
        await asyncio.gather(run, return_exceptions=True)
    assert ran == [first]
    scheduler = await queue.schedulers.get("sweeper")
    assert scheduler is not None
    assert scheduler.iterations == 2
    assert (await queue.counts())["delayed"] == 1
