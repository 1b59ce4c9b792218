"""Plays a recorded scenario (`tests/interop/record_scenarios.mjs`) by our queue and our worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from redis.asyncio import Redis

import careerlens.foundation.clock
from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import UnrecoverableError
from careerlens.queue import (
    Backoff,
    ChildFailure,
    Flow,
    JobOptions,
    NewJob,
    Queue,
    QueueState,
    add_flow,
)
from careerlens.wire import Link, QueueCalls, ScriptRefusedError
from careerlens.wire.calls import fetch_options
from careerlens.worker import ActiveJob, Limiter, Worker, WorkerOptions
from support import eventually, running

START_MS = 2_100_000_000_000
REFUSED = {"refused": True}
_LOCK_MS = 30_000
_POLICIES = {
    "failParentOnFailure": ChildFailure.FAILS_PARENT,
    "continueParentOnFailure": ChildFailure.CONTINUES_PARENT,
    "ignoreDependencyOnFailure": ChildFailure.IS_IGNORED,
    "removeDependencyOnFailure": ChildFailure.IS_REMOVED,
}


_now_ms: ContextVar[int] = ContextVar("what time the scenario of this task has")


@contextmanager
def clocks_of_scenarios() -> Iterator[None]:
    """Let all of ours that runs in the task of a `Replay` go by that scenario's clock."""
    clock = SimpleNamespace(time_ns=lambda: _now_ms.get() * 1_000_000)
    with patch.object(careerlens.foundation.clock, "time", clock):
        yield


class MissingJobError(Exception):
    """A step names a job that is not there."""


class Replay:
    """One scenario, on a queue of its own; its clock moves with its steps.

    With `concurrency` 0 the worker takes a job when the one before it has ended, not earlier.
    """

    def __init__(
        self,
        scenario: dict[str, Any],
        link: Link,
        redis: Redis,
        redis_url: str,
        *,
        concurrency: int,
    ) -> None:
        self.queue = Queue(f"scenario-{scenario['number']}", link)
        self._worker: dict[str, Any] = scenario["worker"]
        self._steps: list[dict[str, Any]] = scenario["steps"]
        self._link = link
        self._redis = redis
        self._url = redis_url
        self._concurrency = concurrency
        self._calls = QueueCalls(self.queue.keys)
        self._ids: list[str] = []
        self._crashes = 0

    async def play(self) -> list[Any]:
        """Play all steps within `clocks_of_scenarios`; returns what each was answered."""
        _now_ms.set(START_MS)
        await self.queue.open()
        return [await self._answer(dict(step)) for step in self._steps]

    async def _answer(self, step: dict[str, Any]) -> Any:
        _now_ms.set(_now_ms.get() + 1)
        act = getattr(self, f"_{step.pop('do')}")
        del step["answer"]
        try:
            if "job" in step:
                step["job"] = await self._named(step["job"])
            return await act(**step)
        except (ScriptRefusedError, MissingJobError):
            return REFUSED

    async def _named(self, index: int) -> str:
        """The id of the so-manieth job, if it is there still."""
        job_id = self._ids[index % len(self._ids)] if self._ids else ""
        if await self.queue.job(job_id) is None:
            raise MissingJobError(job_id)
        return job_id

    def _known(self, job_id: str) -> str:
        if job_id not in self._ids:
            self._ids.append(job_id)
        return job_id

    # Steps, named as in the recording

    async def _add(self, name: str, data: Any, opts: dict[str, Any]) -> str:
        return self._known(await self.queue.add(name, data, options_of(opts)))

    async def _addBulk(self, jobs: list[dict[str, Any]]) -> list[str]:  # noqa: N802
        return [self._known(id_) for id_ in await self.queue.add_bulk([new_job(j) for j in jobs])]

    async def _flow(self, parent: dict[str, Any], children: list[dict[str, Any]]) -> None:
        def node(job: dict[str, Any], children: Sequence[Flow] = ()) -> Flow:
            policies = [_POLICIES[name] for name in job["opts"] if name in _POLICIES]
            return Flow(
                queue=self.queue.name,
                job=new_job(job),
                children=children,
                on_failure=policies[0] if policies else None,
            )

        added = await add_flow(self._link, node(parent, [node(child) for child in children]))
        for job_id in (added.job_id, *(child.job_id for child in added.children)):
            self._known(job_id)

    async def _work(self) -> None:
        if await self._is_idle():
            return
        options = WorkerOptions(
            concurrency=max(self._concurrency, 1),
            name=self._worker["name"],
            max_stalled_count=self._worker["maxStalledCount"],
            limiter=self._limiter(),
        )
        # Holds off the check that our workers begin with; theirs was told to make none.
        await self._redis.set(f"{self.queue.keys.base}stalled-check", 1, ex=60)
        worker = Worker(self.queue.name, handle, redis_url=self._url, options=options)
        async with running(worker):
            await eventually(self._is_idle, every=0.001, within=20)
        if "limiter" not in self._worker:
            await self._windowEnds()

    def _limiter(self) -> Limiter | None:
        if (limiter := self._worker.get("limiter")) is not None:
            return Limiter(max_jobs=limiter["max"], duration_ms=limiter["duration"])
        # Where jobs taken are counted, none is taken ahead.
        return None if self._concurrency else Limiter(max_jobs=10**9, duration_ms=3_600_000)

    async def _is_idle(self) -> bool:
        """Nothing runs, and nothing could be taken."""
        keys, now_ms = self.queue.keys, epoch_ms()
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.llen(keys.active)
            pipeline.zcount(keys.delayed, 0, (now_ms + 1) * 4096 - 1)
            pipeline.llen(keys.wait)
            pipeline.zcard(keys.prioritized)
            pipeline.hexists(keys.meta, "paused")
            pipeline.get(f"{keys.base}limiter")
            active, due, wait, prioritized, is_paused, taken = await pipeline.execute()
        limiter = self._worker.get("limiter")
        is_limited = limiter is not None and int(taken or 0) >= limiter["max"]
        return not active and not due and (is_paused or is_limited or wait + prioritized == 0)

    async def _crash(self) -> str | None:
        limiter = self._worker.get("limiter")
        self._crashes += 1
        options = fetch_options(
            f"crash:{self._crashes}",
            _LOCK_MS,
            limiter and (limiter["max"], limiter["duration"]),
            self._worker["name"],
        )
        reply = await self._link.run(*self._calls.take(epoch_ms(), options))
        if not isinstance(reply[0], list):
            return None
        job_id: str = reply[1].decode()
        await self._redis.delete(self.queue.keys.lock(job_id))
        for _ in range(2):
            await self._redis.delete(f"{self.queue.keys.base}stalled-check")
            call = self._calls.rescue_stalled(epoch_ms(), 30_000, self._worker["maxStalledCount"])
            await self._link.run(*call)
        return job_id

    async def _later(self, ms: int) -> None:
        _now_ms.set(_now_ms.get() + ms)

    async def _windowEnds(self) -> None:  # noqa: N802
        await self._redis.delete(f"{self.queue.keys.base}limiter")

    async def _progress(self, job: str, value: Any) -> None:
        await self.queue.update_progress(job, value)

    async def _log(self, job: str, line: str) -> None:
        await self.queue.log(job, line)

    async def _retry(self, job: str, state: Any, reset: bool) -> None:
        await self.queue.retry(job, state, reset=reset)

    async def _remove(self, job: str) -> Any:
        return None if await self.queue.remove(job) else REFUSED

    async def _promote(self, job: str) -> None:
        await self.queue.promote(job)

    async def _changePriority(self, job: str, priority: int, lifo: bool) -> None:  # noqa: N802
        await self.queue.change_priority(job, priority, lifo=lifo)

    async def _updateData(self, job: str, data: Any) -> None:  # noqa: N802
        await self.queue.update_data(job, data)

    async def _pause(self) -> None:
        await self.queue.pause()

    async def _resume(self) -> None:
        await self.queue.resume()

    async def _clean(self, state: str, grace: int, limit: int) -> list[str]:
        named = QueueState.WAITING if state == "wait" else QueueState(state)
        return await self.queue.clean(named, older_than_ms=grace, limit=limit)

    async def _drain(self, delayed: bool) -> None:
        await self.queue.drain(delayed=delayed)

    async def _obliterate(self, force: bool) -> None:
        await self.queue.obliterate(force=force)

    async def _state(self, job: str) -> str:
        return str(await self.queue.state(job))

    async def _counts(self) -> dict[str, int]:
        counts = await self.queue.counts()
        del counts["paused"]  # a list of former versions, which theirs no longer counts
        return counts


async def handle(job: ActiveJob) -> Any:
    """Do what the job's data plans for this attempt."""
    plan = job.record.data["plan"]
    for what, *value in plan[min(job.record.attempts_made, len(plan) - 1)]:
        if what == "progress":
            await job.update_progress(*value)
        elif what == "log":
            await job.log(*value)
        elif what == "throw":
            raise RuntimeError(*value)
        elif what == "unrecoverable":
            raise UnrecoverableError(*value)
        elif value:
            return value[0]
    return None


def new_job(job: dict[str, Any]) -> NewJob:
    """One job of a bulk or a flow."""
    return NewJob(name=job["name"], data=job["data"], options=options_of(job["opts"]))


def options_of(opts: dict[str, Any]) -> JobOptions:
    """BullMQ's options, in our words."""
    return JobOptions(
        job_id=opts.get("jobId"),
        attempts=opts.get("attempts", 1),
        backoff=_backoff(opts.get("backoff")),
        delay_ms=opts.get("delay", 0),
        priority=opts.get("priority", 0),
        lifo=opts.get("lifo", False),
        remove_on_complete=opts.get("removeOnComplete"),
        remove_on_fail=opts.get("removeOnFail"),
        timestamp_ms=opts.get("timestamp"),
    )


def _backoff(backoff: Any) -> Backoff | None:
    if backoff is None:
        return None
    if isinstance(backoff, int):
        return Backoff(type="fixed", delay_ms=backoff)
    return Backoff(type=backoff["type"], delay_ms=backoff["delay"])
