"""Where a job stands is told as BullMQ tells it, and as fast, however many jobs wait beside it."""

from __future__ import annotations

import pytest

from careerlens.foundation.clock import epoch_ms
from careerlens.queue import JobOptions, NewJob, Queue, QueueState
from careerlens.wire import Link
from careerlens.wire.calls import QueueCalls, fetch_options

QUEUE = "long"
WAITING = 1_500
OPTIONS = {
    QueueState.PRIORITIZED: JobOptions(priority=1),
    QueueState.DELAYED: JobOptions(delay_ms=600_000),
    QueueState.WAITING: JobOptions(),
}


async def long_line(link: Link) -> list[str]:
    return await Queue(QUEUE, link).add_bulk([NewJob(name=QUEUE, data={})] * WAITING)


async def take_one(link: Link) -> str:
    calls = QueueCalls(Queue(QUEUE, link).keys)
    taken = await link.run(*calls.take(epoch_ms(), fetch_options("token", 60_000, None, None)))
    return str(taken[1].decode())


async def searches(link: Link) -> int:
    """How often the server has looked through a list so far."""
    stats = (await link.call("INFO", "commandstats")).decode().splitlines()
    for line in stats:
        if line.startswith("cmdstat_lpos:"):
            return int(line.partition("calls=")[2].partition(",")[0])
    return 0


@pytest.mark.parametrize("expected", OPTIONS, ids=str)
async def test_a_job_beside_a_long_line_stands_where_bullmq_sees_it(
    redis_url: str, expected: QueueState
) -> None:
    async with Link(redis_url) as link:
        queue = Queue(QUEUE, link)
        await long_line(link)
        job_id = await queue.add(QUEUE, {}, OPTIONS[expected])
        _, state = await queue.job_and_state(job_id)
        assert state is expected
        assert await queue.state(job_id) is expected


async def test_running_and_ended_jobs_beside_a_long_line_are_told_apart(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue(QUEUE, link)
        added = await long_line(link)
        running = await take_one(link)
        await queue.cancel(added[-1])
        states = [state for _, state in await queue.jobs_and_states([running, added[-1], "none"])]
        assert states == [QueueState.ACTIVE, QueueState.FAILED, QueueState.UNKNOWN]


async def test_a_job_in_the_middle_of_a_long_line_is_not_searched_for(redis_url: str) -> None:
    """Looked through are the running jobs, which are few, and the first thousand of the line."""
    async with Link(redis_url) as link:
        added = await long_line(link)
        before = await searches(link)
        found = await Queue(QUEUE, link).jobs_and_states(added[700:710])
        assert [state for _, state in found] == [QueueState.WAITING] * 10
        assert await searches(link) - before <= 20
