"""Jobs shorter than the way to the server are taken ahead, and nobody waits longer for it."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from careerlens.queue import NewJob, Queue, QueueState
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from support import eventually, running

QUEUE = "ahead"


@pytest.fixture
async def queue(link: Link) -> Queue:
    queue = Queue(QUEUE, link)
    await queue.open()
    return queue


async def add(queue: Queue, names: list[str]) -> list[str]:
    return await queue.add_bulk([NewJob(name=name, data={}) for name in names])


async def test_short_jobs_never_run_more_at_once_than_allowed(redis_url: str, queue: Queue) -> None:
    together, most, order = 0, 0, count()

    async def brief(job: ActiveJob) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        if next(order) % 3 == 0:
            await asyncio.sleep(0)
        together -= 1

    await add(queue, ["brief"] * 600)
    options = WorkerOptions(concurrency=3)
    async with running(Worker(QUEUE, brief, redis_url=redis_url, options=options)) as worker:
        await eventually(lambda: worker.stats.completed == 600)
    assert most <= 3
    assert await queue.counts() == dict.fromkeys(await queue.counts(), 0) | {"completed": 600}


async def test_a_job_behind_a_long_one_goes_to_another_worker(redis_url: str, queue: Queue) -> None:
    began, release, ran = asyncio.Event(), asyncio.Event(), list[str]()

    async def first(job: ActiveJob) -> None:
        if job.record.name == "long":
            if job.record.id == long:
                began.set()
            await release.wait()

    async def second(job: ActiveJob) -> None:
        ran.append(job.record.id)

    *_, other, long, behind = await add(queue, ["brief"] * 400 + ["long", "long", "behind"])
    two = WorkerOptions(concurrency=2)
    async with running(Worker(QUEUE, first, redis_url=redis_url, options=two)):
        await asyncio.wait_for(began.wait(), 20)
        async with running(Worker(QUEUE, second, redis_url=redis_url, options=two)):
            await eventually(lambda: ran == [behind])
        assert await queue.state(other) is await queue.state(long) is QueueState.ACTIVE
        release.set()
        await eventually(lambda: _is_completed(queue, long))


async def test_what_was_taken_ahead_is_given_back_when_the_worker_stops(
    redis_url: str, queue: Queue
) -> None:
    began, release = asyncio.Event(), asyncio.Event()

    async def handle(job: ActiveJob) -> None:
        if job.record.name == "long":
            if job.record.id == long:
                began.set()
            await release.wait()

    *_, other, long, behind = await add(queue, ["brief"] * 400 + ["long", "long", "behind"])
    two = WorkerOptions(concurrency=2)
    async with running(Worker(QUEUE, handle, redis_url=redis_url, options=two)) as worker:
        await asyncio.wait_for(began.wait(), 20)
        stopping = asyncio.create_task(worker.stop())
        await eventually(lambda: worker.is_stopping)
        release.set()
        await stopping
    assert await queue.state(other) is await queue.state(long) is QueueState.COMPLETED
    assert await queue.state(behind) is QueueState.WAITING


async def _is_completed(queue: Queue, job_id: str) -> bool:
    return await queue.state(job_id) is QueueState.COMPLETED
