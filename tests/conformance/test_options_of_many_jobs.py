"""Jobs in a row may share their options, and each is stored as its own say at that moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import pytest

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import Link

Add: TypeAlias = Callable[[Queue, Sequence[JobOptions]], Awaitable[list[str]]]

QUEUE = "many"
PLAIN, LAST, URGENT = JobOptions(), JobOptions(lifo=True, attempts=5), JobOptions(priority=3)
IN_TURN = [PLAIN, LAST, LAST, URGENT, PLAIN, URGENT, JobOptions(job_id="a"), JobOptions(job_id="b")]


async def add_singly(queue: Queue, options: Sequence[JobOptions]) -> list[str]:
    return [await queue.add(QUEUE, {}, one) for one in options]


async def add_together(queue: Queue, options: Sequence[JobOptions]) -> list[str]:
    return await queue.add_bulk([NewJob(name=QUEUE, data={}, options=one) for one in options])


@pytest.mark.parametrize("add", [add_singly, add_together])
async def test_each_job_has_the_options_it_was_added_with(link: Link, add: Add) -> None:
    queue = Queue(QUEUE, link)
    records = await queue.jobs(await add(queue, IN_TURN))
    assert [record and record.opts for record in records] == [one.to_wire() for one in IN_TURN]
    assert [record and record.id for record in records[-2:]] == ["a", "b"]


@pytest.mark.parametrize("add", [add_singly, add_together])
async def test_a_retention_that_changes_holds_for_what_is_added_later(link: Link, add: Add) -> None:
    queue, kept = Queue(QUEUE, link), {"count": 1}
    options = JobOptions(remove_on_complete=kept)
    first = await add(queue, [options, options])
    kept["count"] = 2
    second = await add(queue, [options, options])
    records = await queue.jobs([*first, *second])
    counts = [record and record.opts["removeOnComplete"]["count"] for record in records]
    assert counts == [1, 1, 2, 2]


async def test_without_options_a_job_has_the_defaults(link: Link) -> None:
    queue = Queue(QUEUE, link)
    ids = [await queue.add(QUEUE, {}), *await queue.add_bulk([NewJob(name=QUEUE, data={})] * 2)]
    records = await queue.jobs(ids)
    assert [record and record.opts for record in records] == [{"attempts": 1}] * 3
