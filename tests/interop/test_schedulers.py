"""Job schedulers go on whoever made them, and whoever's worker takes their jobs."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from redis.asyncio import Redis

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import JobError
from careerlens.queue import Backoff, CancelOutcome, JobOptions, NewJob, Queue, QueueState, Schedule
from careerlens.queue.schedulers import next_due_ms
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker
from node_peer import NodePeer
from support import eventually, running

QUEUE = "scheduled"
FAR = "0 0 0 1 1 *"
TEMPLATE = NewJob(name="sweep", data={"of": "the house"}, options=JobOptions(attempts=2))


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    async with Link(redis_url) as link:
        queue = Queue(QUEUE, link)
        await queue.open()
        yield queue


class Seen:
    """A processor that notes the jobs that it ran."""

    def __init__(self) -> None:
        self.jobs: list[ActiveJob] = []

    async def __call__(self, job: ActiveJob) -> dict[str, str]:
        self.jobs.append(job)
        return {"by": "python"}

    @property
    def due(self) -> list[int]:
        return [int(job.record.id.rpartition(":")[2]) for job in self.jobs]


async def completed(queue: Queue, count: int) -> bool:
    return (await queue.counts())["completed"] >= count


@pytest.mark.parametrize(
    "repeat",
    [{"every": 100}, {"pattern": "* * * * * *", "tz": "Europe/Berlin"}],
    ids=["interval", "pattern"],
)
async def test_their_scheduler_goes_on_with_our_workers_alone(
    redis_url: str, node: NodePeer, queue: Queue, repeat: dict[str, Any]
) -> None:
    seen = Seen()
    template = {"name": "sweep", "data": {"of": "the house"}, "opts": {"priority": 2}}
    await node.do("upsertScheduler", QUEUE, "theirs", repeat, template)
    async with running(Worker(QUEUE, seen, redis_url=redis_url)):
        await eventually(lambda: len(seen.jobs) >= 4)
    every = repeat.get("every", 1_000)
    # A busy machine may be late for an iteration, which is then left out.
    assert all(later > due for due, later in pairwise(seen.due))
    assert {(later - due) % every for due, later in pairwise(seen.due[1:])} == {0}
    assert {job.record.data["of"] for job in seen.jobs} == {"the house"}
    assert {job.record.opts["priority"] for job in seen.jobs} == {2}
    [theirs] = await node.do("schedulers", QUEUE)
    assert theirs["key"] == "theirs"
    assert theirs["iterationCount"] == sum((await queue.counts()).values()) >= 5


@pytest.mark.parametrize(
    "schedule",
    [Schedule(every_ms=100), Schedule(cron="* * * * * *", tz="Asia/Kolkata")],
    ids=["interval", "pattern"],
)
async def test_our_scheduler_goes_on_with_their_workers_alone(
    node: NodePeer, queue: Queue, schedule: Schedule
) -> None:
    await queue.schedulers.upsert("ours", schedule, TEMPLATE)
    await node.do("work", QUEUE)
    await eventually(lambda: completed(queue, 3))
    await node.do("close", "worker", QUEUE)
    ours = await queue.schedulers.get("ours")
    assert ours is not None
    assert ours.iterations >= 3
    assert (ours.name, ours.data) == ("sweep", {"of": "the house"})


@pytest.mark.parametrize("every_ms", [3_600_000, None], ids=["interval", "pattern"])
async def test_whoever_makes_it_and_runs_it_the_next_job_is_the_same(
    redis_url: str, node: NodePeer, queue: Queue, redis: Redis, every_ms: int | None
) -> None:
    """Scheduler and next job are stored alike; only moments in time may differ."""
    options = JobOptions(
        attempts=2, priority=2, backoff=Backoff(delay_ms=5), remove_on_complete={"count": 5}
    )
    schedule = Schedule(every_ms=every_ms, cron=None if every_ms else FAR, limit=9)
    template = {"name": "sweep", "data": {"of": "ü"}, "opts": options.to_wire()}
    stored = []
    for maker in ("node", "python"):
        for runner in ("node", "python"):
            await redis.flushall()
            if maker == "node":
                first = await node.do("upsertScheduler", QUEUE, "s", schedule.to_wire(), template)
            else:
                job = NewJob(name="sweep", data={"of": "ü"}, options=options)
                first = await queue.schedulers.upsert("s", schedule, job)
            if every_ms is None:
                await queue.promote(first)
            if runner == "node":
                await node.do("work", QUEUE)
                await eventually(lambda: completed(queue, 1))
                await node.do("close", "worker", QUEUE)
            else:
                async with running(Worker(QUEUE, Seen(), redis_url=redis_url)):
                    await eventually(lambda: completed(queue, 1))
            [following] = await redis.zrange(queue.keys.delayed, 0, -1)
            stored.append(
                [
                    _without_moments(await redis.hgetall(queue.keys.base + key))
                    for key in (first, str(following), "repeat:s")
                ]
            )
    assert stored[0][1]["opts"]["repeat"]["count"] == 2
    for other in stored[1:]:
        for ours, theirs in zip(other, stored[0], strict=True):
            assert ours == theirs


def _without_moments(fields: dict[Any, Any]) -> dict[str, Any]:
    """A stored hash without its times, and without what the two processors make of the job."""
    texts = {key: re.sub(r"1[78]\d{11}|0\.\d+", "0", text) for key, text in fields.items()}
    of_the_run = ("delay", "offset", "pb", "progress", "returnvalue")
    shown: dict[str, Any] = {key: text for key, text in texts.items() if key not in of_the_run}
    shown |= {key: json.loads(shown[key]) for key in ("data", "opts") if key in shown}
    shown.get("opts", {}).pop("delay", None)
    return shown


async def test_workers_of_both_sides_together_make_each_iteration_once(
    redis_url: str, node: NodePeer, queue: Queue, redis: Redis
) -> None:
    repeat, template = {"every": 40}, {"name": "sweep"}
    await node.do("upsertScheduler", QUEUE, "theirs", repeat, template)
    await queue.schedulers.upsert("ours", Schedule(every_ms=40), TEMPLATE)
    await node.do("work", QUEUE)
    async with running(Worker(QUEUE, Seen(), redis_url=redis_url)):
        await eventually(lambda: completed(queue, 40))
    await node.do("close", "worker", QUEUE)
    made = [scheduler.iterations for scheduler in await queue.schedulers.all()]
    assert len(made) == 2
    assert sum(made) == sum((await queue.counts()).values())
    done = [str(job_id) for job_id in await redis.zrange(queue.keys.completed, 0, -1)]
    records = [record for record in await queue.jobs(done) if record is not None]
    assert {record.attempts_made for record in records} == {1}
    assert {record.returnvalue["by"] for record in records if record.returnvalue} == {
        "node",
        "python",
    }


async def test_our_schedulers_are_listed_by_them_as_their_own_are(
    node: NodePeer, queue: Queue
) -> None:
    end_ms = epoch_ms() + 400 * 24 * 60 * 60 * 1000
    schedule = Schedule(cron=FAR, tz="Europe/Berlin", limit=7, end_ms=end_ms)
    await queue.schedulers.upsert("ours", schedule, TEMPLATE)
    repeat = {"pattern": FAR, "tz": "Europe/Berlin", "limit": 7, "endDate": end_ms}
    template = {"name": "sweep", "data": {"of": "the house"}, "opts": {"attempts": 2}}
    await node.do("upsertScheduler", QUEUE, "theirs", repeat, template)
    first, second = sorted(await node.do("schedulers", QUEUE), key=lambda one: one["key"])
    assert (first.pop("key"), second.pop("key")) == ("ours", "theirs")
    assert first == second
    ours, theirs = sorted(await queue.schedulers.all(), key=lambda one: one.id)
    assert (ours.repeat, ours.options, ours.data) == (theirs.repeat, theirs.options, theirs.data)
    assert ours.next_ms == theirs.next_ms == first["next"]
    for name in ("ours", "theirs"):
        record = await queue.job(f"repeat:{name}:{ours.next_ms}")
        assert record is not None
        assert record.opts["repeat"] == {**repeat, "count": 1}
        assert record.scheduler_id == name


async def test_either_side_removes_a_scheduler_with_its_next_job(
    node: NodePeer, queue: Queue
) -> None:
    await queue.schedulers.upsert("ours", Schedule(cron=FAR), TEMPLATE)
    await node.do("upsertScheduler", QUEUE, "theirs", {"pattern": FAR}, {"name": "sweep"})
    assert await node.do("removeScheduler", QUEUE, "ours") is True
    assert await queue.schedulers.remove("theirs")
    assert not await queue.schedulers.remove("theirs")
    assert await queue.schedulers.all() == await node.do("schedulers", QUEUE) == []
    assert (await queue.counts())["delayed"] == 0


async def test_changing_a_scheduler_replaces_its_next_job(queue: Queue, node: NodePeer) -> None:
    first = await queue.schedulers.upsert("ours", Schedule(cron=FAR), TEMPLATE)
    changed = NewJob(name="sweep", data={"of": "the street"})
    second = await queue.schedulers.upsert("ours", Schedule(cron="0 0 0 2 1 *"), changed)
    assert await queue.job(first) is None
    record = await queue.job(second)
    assert record is not None
    assert record.data == {"of": "the street"}
    [theirs] = await node.do("schedulers", QUEUE)
    assert theirs["pattern"] == "0 0 0 2 1 *"
    assert theirs["template"]["data"] == {"of": "the street"}


async def test_a_limited_scheduler_ends_with_its_last_iteration(
    redis_url: str, queue: Queue
) -> None:
    seen = Seen()
    await queue.schedulers.upsert("ours", Schedule(every_ms=50, limit=3), TEMPLATE)
    async with running(Worker(QUEUE, seen, redis_url=redis_url)) as worker:
        await eventually(lambda: worker.stats.completed == 3)
    counts = await queue.counts()
    assert (counts["completed"], sum(counts.values())) == (3, 3)


async def test_nothing_is_made_after_the_end(redis_url: str, queue: Queue) -> None:
    seen = Seen()
    end_ms = epoch_ms() + 3_000
    await queue.schedulers.upsert("ours", Schedule(cron="* * * * * *", end_ms=end_ms), TEMPLATE)

    async def is_over() -> bool:
        counts = await queue.counts()
        return counts["completed"] == sum(counts.values()) > 0

    async with running(Worker(QUEUE, seen, redis_url=redis_url)):
        await eventually(is_over)
    assert all(due <= end_ms for due in seen.due)
    with pytest.raises(ValueError, match="due any more"):
        await queue.schedulers.upsert("ours", Schedule(cron=FAR, end_ms=end_ms), TEMPLATE)


async def test_another_attempt_of_an_iteration_makes_no_further_one(
    redis_url: str, queue: Queue, node: NodePeer
) -> None:
    async def fail_once(job: ActiveJob) -> int:
        if job.attempt == 1:
            raise JobError("first")
        return job.attempt

    await queue.schedulers.upsert("ours", Schedule(cron="* * * * * *"), TEMPLATE)
    async with running(Worker(QUEUE, fail_once, redis_url=redis_url)) as worker:
        await eventually(lambda: worker.stats.completed == 2)
    [theirs] = await node.do("schedulers", QUEUE)
    assert theirs["iterationCount"] == sum((await queue.counts()).values()) >= 3


@pytest.mark.parametrize("runner", ["node", "python"])
async def test_a_next_job_that_exists_already_is_announced_as_duplicated(
    redis_url: str, node: NodePeer, queue: Queue, redis: Redis, runner: str
) -> None:
    """A job of a former scheduler is in the way, and left as it is."""
    first = await queue.schedulers.upsert("ours", Schedule(cron=FAR), TEMPLATE)
    following_ms = next_due_ms({"pattern": FAR, "tz": "UTC"}, int(first.rpartition(":")[2]))
    in_the_way = f"repeat:ours:{following_ms}"
    await redis.hset(queue.keys.job(in_the_way), mapping={"name": "old", "data": "{}"})
    await redis.zadd(queue.keys.completed, {in_the_way: 1})
    await queue.promote(first)
    if runner == "node":
        await node.do("work", QUEUE)
        await eventually(lambda: completed(queue, 2))
        await node.do("close", "worker", QUEUE)
    else:
        async with running(Worker(QUEUE, Seen(), redis_url=redis_url)):
            await eventually(lambda: completed(queue, 2))
    events = [fields for _, fields in await redis.xrange(queue.keys.events) or []]
    assert {"event": "duplicated", "jobId": in_the_way} in events
    record = await queue.job(in_the_way)
    assert record is not None
    assert record.name == "old"
    assert (await queue.counts())["delayed"] == 0


async def test_a_removed_scheduler_ends_although_its_job_runs(redis_url: str, queue: Queue) -> None:
    first = await queue.schedulers.upsert("ours", Schedule(every_ms=60_000), TEMPLATE)
    await queue.schedulers.remove("ours")
    # It was due at once, so it is in line, where BullMQ's script does not look for it.
    assert await queue.state(first) is QueueState.WAITING
    seen = Seen()
    async with running(Worker(QUEUE, seen, redis_url=redis_url)) as worker:
        await eventually(lambda: worker.stats.completed == 1)
    counts = await queue.counts()
    assert sum(counts.values()) == counts["completed"]


@pytest.mark.parametrize(
    "options",
    [
        '{"repeat":{"pattern":"at tea time"}}',
        '{"repeat":{"pattern":"* * * * *","tz":"../Atlantis"}}',
        '{"repeat":{"pattern":"* * * * *","startDate":1e300}}',
        '{"repeat":{"pattern":"* * * * *"},"prevMillis":1e400}',
        '{"repeat":{"pattern":"* * * * *"},"big":123456789012345678901234567890}',
        '{"repeat":{"every":60000,"count":"x","limit":NaN}}',
        '{"repeat":5}',
        "no JSON at all",
    ],
)
async def test_a_schedule_that_cannot_be_read_loses_no_job(
    redis_url: str, queue: Queue, redis: Redis, options: str
) -> None:
    first = await queue.schedulers.upsert("ours", Schedule(every_ms=60_000), TEMPLATE)
    await redis.hset(queue.keys.job(first), "opts", options)
    seen = Seen()
    async with running(Worker(QUEUE, seen, redis_url=redis_url)):
        await eventually(lambda: completed(queue, 1))
    assert [job.record.id for job in seen.jobs] == [first]


async def test_cancelling_a_schedulers_next_job_skips_that_one_alone(
    queue: Queue, node: NodePeer
) -> None:
    first = await queue.schedulers.upsert("ours", Schedule(cron=FAR), TEMPLATE)
    assert await queue.cancel(first) is CancelOutcome.CANCELLED
    assert await queue.cancel(first) is CancelOutcome.ALREADY_FINAL
    [theirs] = await node.do("schedulers", QUEUE)
    year_ms = 365 * 24 * 60 * 60 * 1000
    assert theirs["next"] >= int(first.rpartition(":")[2]) + year_ms
    assert theirs["iterationCount"] == 2
    assert (await queue.counts())["delayed"] == 1


@pytest.mark.parametrize("scheduler_id", ["", "a:17", "x\n", "a:lock"])
async def test_ids_that_would_damage_the_queue_are_refused(queue: Queue, scheduler_id: str) -> None:
    with pytest.raises(ValueError, match="cannot have the id"):
        await queue.schedulers.upsert(scheduler_id, Schedule(every_ms=1_000), TEMPLATE)
    assert await queue.schedulers.all() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"every_ms": 5, "cron": FAR},
        {"every_ms": 0},
        {"cron": FAR, "limit": 0},
        {"cron": "at tea time"},
        {"cron": "0 0 30 2 *"},
        {"cron": FAR, "tz": "Europe/Atlantis"},
    ],
)
def test_a_schedule_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Schedule(**wrong)
