"""Schedulers and flows of ours leave what the bullmq package's leave, whatever is asked of them.

As `test_same_as_bullmq`, on two databases by one clock. Options are compared by what they say:
the package spells out defaults, and writes some of it in another order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, TypeAlias
from unittest.mock import patch

import bullmq.job_scheduler
import pytest
from bullmq.job import Job as PackageJob
from bullmq.job_scheduler import JobScheduler as PackageScheduler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from careerlens.queue import ChildFailure, Flow, JobOptions, NewJob, Queue, Schedule, add_flow
from careerlens.queue.schedulers import next_iteration
from careerlens.wire import Link
from careerlens.wire.errors import ScriptRefusedError
from careerlens.wire.schedulercalls import SchedulerCalls
from queue_dump import dump
from queue_theirs import PREFIX, QUEUE, Clock, Package
from support import Valkey

Step: TypeAlias = tuple[Any, ...]
BASE = f"{PREFIX}:{QUEUE}:"
POLICIES = {
    None: None,
    ChildFailure.FAILS_PARENT: "failParentOnFailure",
    ChildFailure.CONTINUES_PARENT: "continueParentOnFailure",
    ChildFailure.IS_IGNORED: "ignoreDependencyOnFailure",
    ChildFailure.IS_REMOVED: "removeDependencyOnFailure",
}
# What the package writes down although it is the default, or was asked of the script anyway.
_SPELT_OUT = ("timestamp", "prevMillis", "jobId")

_schedules = st.builds(
    Schedule,
    every_ms=st.sampled_from([1_000, 60_000]),
    limit=st.sampled_from([None, 1, 3]),
    start_ms=st.sampled_from([None, 1_700_000_005_000]),
    end_ms=st.sampled_from([None, 1_700_000_090_000]),
) | st.builds(
    Schedule,
    cron=st.sampled_from(["*/5 * * * *", "0 0 1 1 *", "*/10 * * * * *"]),
    tz=st.just("UTC"),
    limit=st.sampled_from([None, 2]),
)
_options = st.builds(
    JobOptions, priority=st.integers(0, 2), attempts=st.integers(1, 2), lifo=st.just(False)
)
_which = st.sampled_from(["a", "b:c"])
_steps = st.lists(
    st.tuples(st.just("upsert"), _which, _schedules, _options)
    | st.tuples(st.just("upsert"), _which, _schedules, _options)
    | st.tuples(st.just("next"), _which)
    | st.tuples(st.just("next"), _which)
    | st.tuples(st.just("remove"), _which)
    | st.tuples(st.just("later"), st.sampled_from([1, 999, 30_000, 400_000])),
    min_size=2,
    max_size=10,
)
_flows = st.recursive(
    st.builds(
        Flow,
        queue=st.just(QUEUE),
        job=st.builds(
            NewJob,
            name=st.just("one"),
            data=st.just({"a": 1}),
            options=st.builds(
                JobOptions,
                priority=st.integers(0, 2),
                delay_ms=st.sampled_from([0, 0, 5_000]),
                attempts=st.integers(1, 2),
            ),
        ),
        on_failure=st.sampled_from(list(POLICIES)),
    ),
    lambda inner: st.builds(
        Flow,
        queue=st.just(QUEUE),
        job=st.builds(NewJob, name=st.just("many"), data=st.just({})),
        children=st.lists(inner, min_size=1, max_size=3),
        on_failure=st.sampled_from(list(POLICIES)),
    ),
    max_leaves=6,
)


class Stage:
    """Two databases of one server, one for each side."""

    def __init__(self, url: str, link: Link) -> None:
        self.raw = [_client(url, number, decode=False) for number in (0, 1)]
        self.text = [_client(url, number, decode=True) for number in (0, 1)]
        self.package = Package(self.text[0])
        self.schedulers = PackageScheduler(self.package.queue)
        self.link = link
        self.queue = Queue(QUEUE, link, prefix=PREFIX)
        self.calls = SchedulerCalls(self.queue.keys)

    async def compare(self) -> None:
        theirs, ours = [await dump(client, BASE) for client in self.raw]
        assert _told(ours.keys) == _told(theirs.keys)

    async def upsert(
        self, scheduler_id: str, schedule: Schedule, options: JobOptions
    ) -> tuple[bool, bool]:
        """Ask both to make a scheduler; whether each of them did."""
        theirs = ours = True
        try:
            job = await self.schedulers.upsertJobScheduler(
                scheduler_id, schedule.to_wire(), "sweep", {"of": 1}, options.to_wire()
            )
            theirs = job is not None
        except Exception as error:
            if "job" not in str(error).lower():
                raise
            theirs = False
        new = NewJob(name="sweep", data={"of": 1}, options=options)
        try:
            await self.queue.schedulers.upsert(scheduler_id, schedule, new)
        except (ScriptRefusedError, ValueError):
            ours = False
        return theirs, ours

    async def next(self, scheduler_id: str) -> None:
        """Ask both for the iteration after the scheduler's latest one, as if it had been taken."""
        due = await self.text[0].zscore(f"{BASE}repeat", scheduler_id)
        if due is None:
            return
        job_id = f"repeat:{scheduler_id}:{int(due)}"
        fields = await self.text[0].hgetall(BASE + job_id)
        if not fields:
            return
        job = PackageJob.fromJSON(self.package.queue, fields, job_id)
        await self.schedulers.upsertJobScheduler(
            scheduler_id,
            job.opts["repeat"],
            job.name,
            job.data,
            job.opts,
            override=False,
            producer_id=job_id,
        )
        record = await self.queue.job(job_id)
        assert record is not None
        call = next_iteration(self.calls, record, scheduler_id)
        if call is not None:
            await self.link.run(*call)

    async def close(self) -> None:
        await self.link.close()
        for client in (*self.raw, *self.text):
            await client.aclose()


def _client(url: str, database: int, *, decode: bool) -> Redis:
    client: Redis = Redis.from_url(url, db=database, protocol=2, decode_responses=decode)
    return client


@contextmanager
def _one_clock(clock: Clock) -> Iterator[None]:
    theirs = SimpleNamespace(time=lambda: clock.now_ms / 1000)
    with clock.rules(), patch.object(bullmq.job_scheduler, "time", theirs):
        yield


def _told(keys: dict[str, Any]) -> dict[str, Any]:
    """What each key says, with options read and without what is only spelt out."""
    return {name: _told_of(content) for name, content in keys.items()}


def _told_of(content: Any) -> Any:
    if isinstance(content, list):
        return [_told_of(part) for part in content]
    if isinstance(content, tuple):
        return tuple(_told_of(part) for part in content)
    if isinstance(content, dict):
        return {_told_of(key): _told_of(part) for key, part in content.items()}
    text = content.decode() if isinstance(content, bytes) else content
    if not isinstance(text, str) or not text.startswith("{"):
        return text
    said = {key: part for key, part in json.loads(text).items() if key not in _SPELT_OUT}
    return {key: part for key, part in said.items() if part not in (0, None, False)}


@pytest.fixture(scope="module")
def stage(valkey_server: Valkey) -> Iterator[Callable[[Callable[[Stage], Awaitable[None]]], None]]:
    """Plays a scene on emptied databases and compares what it left."""
    with asyncio.Runner() as runner:
        url = valkey_server.url.removesuffix("/0")
        made = runner.run(_made(url))

        async def play(scene: Callable[[Stage], Awaitable[None]]) -> None:
            await made.raw[0].flushall()
            await scene(made)
            await made.compare()

        yield lambda scene: runner.run(play(scene))
        runner.run(made.close())


async def _made(url: str) -> Stage:
    return Stage(url, await Link(f"{url}/1").__aenter__())


Play: TypeAlias = Callable[[Callable[[Stage], Awaitable[None]]], None]
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_unhurried
@given(steps=_steps)
def test_schedulers_of_ours_leave_what_theirs_leave(stage: Play, steps: Sequence[Step]) -> None:
    clock = Clock()

    async def scene(stage: Stage) -> None:
        for name, *details in steps:
            if name == "later":
                clock.now_ms += details[0]
            elif name == "upsert":
                was_made = await stage.upsert(*details)
                assert was_made in ((True, True), (False, False)), details
            elif name == "next":
                await stage.next(*details)
            else:
                found = await stage.queue.schedulers.remove(*details)
                assert found is (await stage.schedulers.removeJobScheduler(*details) == 0)
        ours = [(one.id, one.next_ms) for one in await stage.queue.schedulers.all()]
        theirs = await stage.schedulers.getJobSchedulers(asc=True)
        assert ours == [(one["key"], one["next"]) for one in theirs]

    with _one_clock(clock):
        stage(scene)


@_unhurried
@given(flow=_flows)
def test_flows_of_ours_leave_what_theirs_leave(stage: Play, flow: Flow) -> None:
    async def scene(stage: Stage) -> None:
        names = iter(range(1_000))
        named = _named(flow, lambda: f"job-{next(names)}")
        await stage.package.flows.add(_as_package(named))
        await add_flow(stage.link, named, prefix=PREFIX)

    with _one_clock(Clock()):
        stage(scene)


def _named(flow: Flow, name: Callable[[], str]) -> Flow:
    """The flow with an id of its own for each job, so that both sides use the same ones."""
    options = flow.job.options
    return Flow(
        queue=flow.queue,
        job=NewJob(
            name=flow.job.name,
            data=flow.job.data,
            options=JobOptions(
                job_id=name(),
                priority=options.priority,
                delay_ms=options.delay_ms,
                attempts=options.attempts,
            ),
        ),
        children=[_named(child, name) for child in flow.children],
        on_failure=flow.on_failure,
    )


def _as_package(flow: Flow, *, is_child: bool = False) -> dict[str, Any]:
    policy = POLICIES[flow.on_failure] if is_child else None
    return {
        "name": flow.job.name,
        "queueName": flow.queue,
        "data": flow.job.data,
        "opts": flow.job.options.to_wire() | ({policy: True} if policy else {}),
        "children": [_as_package(child, is_child=True) for child in flow.children],
    }
