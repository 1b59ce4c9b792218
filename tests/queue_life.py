"""What a queue must do, whatever stands behind its URL, and whatever happens there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from careerlens.queue import Backoff, CancelOutcome, JobOptions, NewJob, Queue, QueueState
from careerlens.wire import CANCELLED_REASON, EventReader, EventStreams, open_link
from careerlens.wire.link import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from support import eventually, insist, running

NAME = "life"
_PLAIN = 40
_MANY = 300
_OPTIONS = WorkerOptions(
    concurrency=8, lock_duration_ms=2_000, lock_renew_ms=200, stalled_interval_ms=500
)


async def live_through(url: str, *, prefix: str = "bull") -> None:
    """Run jobs with retries, delays, cancellations, progress and long handlers to their ends."""
    async with open_link(url) as link:
        life = _Life(Queue(NAME, link, prefix=prefix), link)
        await life.queue.open()
        worker = Worker(NAME, life.work, redis_url=url, prefix=prefix, options=_OPTIONS)
        async with running(worker):
            await life.add_jobs()
            await life.cancel_jobs()
            await eventually(life.is_over, within=20)
            assert worker.is_healthy
        await life.check()
        ends = await _ends(url, life.queue, _PLAIN + 7)
    assert set(ends.values()) == {1}
    stats = worker.stats
    assert (stats.completed, stats.failed, stats.cancelled) == (_PLAIN + 4, 1, 1)
    assert (stats.retried, stats.lost, stats.rescued, stats.handed_back) == (3, 0, 0, 0)


class _Life:
    """The jobs, how they are worked on, and how each of them must end."""

    def __init__(self, queue: Queue, link: Link) -> None:
        self.queue = queue
        self.runs: Counter[str] = Counter()
        self._link = link
        self._ends = dict.fromkeys(("fails", "held", "waiting"), QueueState.FAILED)

    async def add_jobs(self) -> None:
        jobs = {
            "urgent": JobOptions(priority=1),
            "later": JobOptions(delay_ms=300),
            "again": JobOptions(attempts=3, backoff=Backoff(type="fixed", delay_ms=50)),
            "long": JobOptions(),
            "held": JobOptions(),
            "fails": JobOptions(attempts=2),
            "waiting": JobOptions(delay_ms=60_000),
        }
        plain = [NewJob(name="plain", data={"number": number}) for number in range(_PLAIN)]
        plain_ids = await self.queue.add_bulk(plain)
        for name, options in jobs.items():
            assert await self.queue.add(name, {}, replace(options, job_id=name)) == name
        for job_id in (*plain_ids, *jobs):
            self._ends.setdefault(job_id, QueueState.COMPLETED)

    async def cancel_jobs(self) -> None:
        assert await self.queue.cancel("waiting") is CancelOutcome.CANCELLED
        await eventually(lambda: self.runs["held"] == 1)
        assert await self.queue.cancel("held") is CancelOutcome.REQUESTED

    async def work(self, job: ActiveJob) -> object:
        name = job.record.id
        self.runs[name] += 1
        await job.update_progress({"percent": 10 * job.attempt})
        if name == "held":
            await asyncio.Event().wait()
        if name == "fails" or (name == "again" and job.attempt < 3):
            raise ValueError(f"attempt {job.attempt}")
        if name == "long":
            await self._until_the_lock_is_renewed(name)
        return {"attempt": job.attempt}

    async def _until_the_lock_is_renewed(self, job_id: str) -> None:
        left_ms = [await self._link.call("PTTL", self.queue.keys.lock(job_id))]

        async def grows() -> bool:
            left_ms.append(await self._link.call("PTTL", self.queue.keys.lock(job_id)))
            return bool(left_ms[-1] > left_ms[-2])

        await eventually(grows)

    async def is_over(self) -> bool:
        counts = await self.queue.counts()
        return counts["completed"] + counts["failed"] == sum(counts.values()) == len(self._ends)

    async def check(self) -> None:
        found = await self.queue.jobs_and_states(list(self._ends))
        for (record, state), (job_id, end) in zip(found, self._ends.items(), strict=True):
            assert record is not None
            assert (job_id, state) == (job_id, end)
            attempts = {"again": 3, "fails": 2, "waiting": 0}.get(job_id, 1)
            assert (job_id, self.runs[job_id]) == (job_id, attempts)
            if end is QueueState.COMPLETED:
                assert record.returnvalue == {"attempt": attempts}
                assert record.progress == {"percent": 10 * attempts}
            elif job_id != "fails":
                assert record.failed_reason == CANCELLED_REASON


async def outlive(
    url: str, disturb: Callable[[Link], Awaitable[None]], *, prefix: str = "bull"
) -> Worker:
    """Work through jobs while `disturb` happens: each completes, and none completes twice.

    The jobs are on a replica before it begins. `disturb` returns once `url` leads to a server
    that stays. Returns the worker for its figures.
    """

    async def work(job: ActiveJob) -> None:
        await asyncio.sleep(0.01)

    worker = Worker(NAME, work, redis_url=url, prefix=prefix, options=_OPTIONS)
    async with open_link(url, timeout_s=10) as link, running(worker, grace_s=2):
        queue = Queue(NAME, link, prefix=prefix)
        await queue.open()
        job_ids = [f"job-{number}" for number in range(_MANY)]
        await queue.add_bulk([_named(job_id) for job_id in job_ids])
        # With a key, so that on a cluster it is asked of the node that has the queue.
        touched_and_waited = [("EXISTS", queue.keys.meta), ("WAIT", 1, 5_000)]
        assert (await link.call_many(touched_and_waited))[1] == 1
        await eventually(lambda: worker.stats.completed > _MANY // 10)
        await disturb(link)

        async def are_completed() -> bool:
            counts = await queue.counts()
            return counts["completed"] == sum(counts.values()) == len(job_ids)

        await eventually(lambda: insist(are_completed), within=30)
        job_ids += await insist(lambda: queue.add_bulk([_named("after")]))
        await eventually(lambda: insist(are_completed))
        ends = await _ends(url, queue, len(job_ids))
    assert ends == dict.fromkeys(job_ids, 1)
    assert worker.stats.failed == 0
    return worker


def _named(job_id: str) -> NewJob:
    return NewJob(name=NAME, data={}, options=JobOptions(job_id=job_id))


async def _ends(url: str, queue: Queue, jobs: int) -> Counter[str]:
    """How often the queue's history tells of each job's end, once it has told of `jobs`."""
    ends: Counter[str] = Counter()
    async with EventStreams(url) as streams, asyncio.timeout(10):
        async for item in EventReader(streams, queue.keys):
            assert isinstance(item, list)
            names = ("completed", "failed")
            ends.update(str(event.job_id) for event in item if event.name in names)
            if len(ends) == jobs:
                break
    return ends
