"""BullMQ on Node and we share a queue: its producers, workers and observers with ours.

Needs `npm ci` in this folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from careerlens.foundation.errors import JobError
from careerlens.queue import Backoff, JobOptions, Queue, QueueState
from careerlens.wire import CANCELLED_REASON, Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from node_peer import NodePeer
from support import eventually, running

QUEUE = "interop"


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    async with Link(redis_url) as link:
        queue = Queue(QUEUE, link)
        await queue.open()
        yield queue


async def state_is(queue: Queue, job_id: str, state: QueueState) -> bool:
    return await queue.state(job_id) is state


async def test_their_job_in_our_worker_seen_by_their_events(
    redis_url: str, node: NodePeer, queue: Queue
) -> None:
    async def work(job: ActiveJob) -> dict[str, Any]:
        await job.update_progress({"percent": 30, "message": "half"})
        return {"for": job.record.data["userId"], "text": "Grüße ✓"}

    await node.do("observe", QUEUE)
    async with running(Worker(QUEUE, work, redis_url=redis_url)):
        data = {"userId": "user-7", "nested": {"list": [1, 2.5, None]}}
        job_id = await node.do("add", QUEUE, QUEUE, data, {"jobId": "their-own-id"})
        assert job_id == "their-own-id"
        await eventually(lambda: "completed" in node.events_of(job_id))
    assert node.events_of(job_id) == ["added", "waiting", "active", "progress", "completed"]
    by_name = {event["event"]: event for event in node.events if event.get("jobId") == job_id}
    assert by_name["progress"]["data"] == {"percent": 30, "message": "half"}
    assert by_name["completed"]["returnvalue"] == {"for": "user-7", "text": "Grüße ✓"}
    theirs = await node.do("job", QUEUE, job_id)
    assert theirs["state"] == "completed"
    assert theirs["attemptsMade"] == 1
    assert theirs["returnvalue"] == {"for": "user-7", "text": "Grüße ✓"}
    ours = await queue.job(job_id)
    assert ours is not None
    assert ours.data == data


@pytest.mark.parametrize("options", [{}, {"priority": 3}, {"delay": 50}, {"lifo": True}])
async def test_their_options_are_ours(
    redis_url: str, node: NodePeer, queue: Queue, options: dict[str, Any]
) -> None:
    async def fail_once(job: ActiveJob) -> int:
        if job.attempt == 1:
            raise JobError("first")
        return job.attempt

    retries = {"attempts": 2, "backoff": {"type": "exponential", "delay": 10, "jitter": 0.5}}
    async with running(Worker(QUEUE, fail_once, redis_url=redis_url)):
        job_id = await node.do("add", QUEUE, QUEUE, {}, options | retries)
        await eventually(lambda: state_is(queue, job_id, QueueState.COMPLETED))
    theirs = await node.do("job", QUEUE, job_id)
    assert (theirs["returnvalue"], theirs["attemptsMade"]) == (2, 2)
    assert len(theirs["stacktrace"]) == 1


@pytest.mark.parametrize(
    "options",
    [
        JobOptions(),
        JobOptions(priority=2, job_id="user-1:interop:1700000000000:AAAAAAAAAAAAAAAA"),
        JobOptions(delay_ms=50),
    ],
    ids=["plain", "prioritised with our id", "delayed"],
)
async def test_our_job_in_their_worker(node: NodePeer, queue: Queue, options: JobOptions) -> None:
    await node.do("observe", QUEUE)
    await node.do("work", QUEUE)
    job_id = await queue.add(QUEUE, {"userId": "user-1"}, options)
    await eventually(lambda: state_is(queue, job_id, QueueState.COMPLETED))
    record = await queue.job(job_id)
    assert record is not None
    assert record.returnvalue == {"by": "node", "attempt": 1}
    assert record.progress == {"percent": 50, "message": "by node"}
    await eventually(lambda: "completed" in node.events_of(job_id))


async def test_retries_go_across(redis_url: str, node: NodePeer, queue: Queue) -> None:
    """An attempt that failed with us is counted by their worker, and the other way round."""

    async def fail(job: ActiveJob) -> None:
        raise JobError("ours failed")

    backoff = Backoff(type="fixed", delay_ms=300)
    async with running(Worker(QUEUE, fail, redis_url=redis_url)) as ours:
        options = JobOptions(attempts=3, backoff=backoff)
        job_id = await queue.add(QUEUE, {"failures": 2}, options)
        await eventually(lambda: ours.stats.retried == 1)
    await node.do("work", QUEUE)
    await eventually(lambda: state_is(queue, job_id, QueueState.COMPLETED))
    record = await queue.job(job_id)
    assert record is not None
    assert record.returnvalue == {"by": "node", "attempt": 3}
    assert record.attempts_made == 3


async def test_their_failed_job_is_retried_by_us(
    redis_url: str, node: NodePeer, queue: Queue
) -> None:
    async def succeed(job: ActiveJob) -> str:
        return "ours"

    await node.do("work", QUEUE)
    job_id = await node.do("add", QUEUE, QUEUE, {"failures": 9}, {"attempts": 1})
    await eventually(lambda: state_is(queue, job_id, QueueState.FAILED))
    record = await queue.job(job_id)
    assert record is not None
    assert record.failed_reason == "failure 1"
    await node.do("close", "worker", QUEUE)
    async with running(Worker(QUEUE, succeed, redis_url=redis_url)):
        await node.do("retry", QUEUE, job_id)
        await eventually(lambda: state_is(queue, job_id, QueueState.COMPLETED))


async def test_a_cancelled_job_is_a_failed_one_to_them(
    redis_url: str, node: NodePeer, queue: Queue
) -> None:
    async def hang(job: ActiveJob) -> None:
        await asyncio.Event().wait()

    await node.do("observe", QUEUE)
    options = WorkerOptions(concurrency=1)
    async with running(Worker(QUEUE, hang, redis_url=redis_url, options=options)) as worker:
        active = await node.do("add", QUEUE, QUEUE, {}, {"attempts": 3})
        await eventually(lambda: worker.stats.running == 1)
        waiting = await node.do("add", QUEUE, QUEUE, {}, {"attempts": 3, "priority": 1})
        for job_id in (waiting, active):
            await queue.cancel(job_id)
            await eventually(partial(node.has_seen, "failed", job_id))
            theirs = await node.do("job", QUEUE, job_id)
            assert (theirs["state"], theirs["failedReason"]) == ("failed", CANCELLED_REASON)
    counts = await node.do("counts", QUEUE)
    assert counts["failed"] == 2
    assert sum(counts.values()) == 2


async def test_both_workers_on_one_queue_run_each_job_once(
    redis_url: str, node: NodePeer, queue: Queue
) -> None:
    async def work(job: ActiveJob) -> dict[str, str]:
        await asyncio.sleep(0.002)
        return {"by": "python"}

    job_ids = [await queue.add(QUEUE, {}, JobOptions(priority=number % 2)) for number in range(200)]
    await node.do("work", QUEUE)
    async with running(Worker(QUEUE, work, redis_url=redis_url)):

        async def all_done() -> bool:
            return (await queue.counts())["completed"] == len(job_ids)

        await eventually(all_done, within=30)
    records = [record for record in await queue.jobs(job_ids) if record is not None]
    assert {record.attempts_started for record in records} == {1}
    assert {record.returnvalue["by"] for record in records if record.returnvalue} == {
        "node",
        "python",
    }
