"""Whatever is asked of a queue, our calls leave the same keys and events as the bullmq package's.

Each example is played twice, by the package on one database and by us on another, step by step;
every reply is compared, and at the end every byte under both queues. Both read one clock, which
the example moves. What is not compared: the ids of stream entries, which the server's clock
makes, and to the minute how long a key lives.

`pytest --hypothesis-profile=deep` plays fifty times as many examples.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

import careerlens.wire.calls
from careerlens.queue import Backoff, JobOptions
from careerlens.wire import Link, QueueCalls
from careerlens.wire.link import Call
from careerlens.wire.scripts import own_script
from queue_dump import dump
from queue_ours import Ours, OursByQueue
from queue_play import Play, Step
from queue_theirs import INTERVAL_MS, PREFIX, QUEUE, Clock, Package, Theirs
from support import Valkey

Compare: TypeAlias = Callable[[Sequence[Step], type[Ours]], None]
BASE = f"{PREFIX}:{QUEUE}:"
OWN_ID = "user-1:same:1700000000000:AAAAAAAAAAAAAAAA"

_index = st.integers(0, 9)
_flag = st.booleans()
_limit = st.sampled_from([None, None, None, 1, 3])
_keep = st.sampled_from([None, True, False, 0, 1, 2, {"age": 60}, {"age": 3600, "count": 2}])
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("aü"), inner, max_size=2),
    max_leaves=4,
)
_options = st.builds(
    JobOptions,
    priority=st.sampled_from([0, 0, 0, 1, 2, 2**21 - 1]),
    delay_ms=st.sampled_from([0, 0, 0, 1, 5_000]),
    lifo=_flag,
    attempts=st.integers(1, 3),
    backoff=st.sampled_from([None, Backoff(delay_ms=1_000), Backoff(type="fixed", jitter=0.5)]),
    remove_on_complete=_keep,
    remove_on_fail=_keep,
    job_id=st.sampled_from([None, None, None, OWN_ID, "mein Job ü"]),
)
_policy = st.sampled_from(
    [
        None,
        "failParentOnFailure",
        "continueParentOnFailure",
        "ignoreDependencyOnFailure",
        "removeDependencyOnFailure",
    ]
)
_add = st.tuples(st.just("add"), st.sampled_from([QUEUE, "größer"]), _json, _options)
_take = st.tuples(st.just("take"), _limit)
_end = (
    st.tuples(st.just("finish"), _index, st.sampled_from(["completed", "failed"]), _json, _flag,
              _limit)
    | st.tuples(st.just("retry"), _index)
    | st.tuples(st.just("delay"), _index, st.sampled_from([0, 1_000]), _flag, _limit)
    | st.tuples(st.just("hand_back"), _index)
)  # fmt: skip
_running = st.just(("extend_locks",)) | st.tuples(st.just("finish_unheld"), _index)
_of_any_alone = (
    st.tuples(st.just("progress"), _index, _json)
    | st.tuples(st.just("log"), _index, st.text(st.characters(codec="utf-8"), max_size=5))
    | st.tuples(st.sampled_from(["remove", "cancel", "state", "snapshot", "promote"]), _index)
    | st.tuples(st.just("change_priority"), _index, st.sampled_from([0, 1, 3]), _flag)
    | st.tuples(st.just("update_data"), _index, _json)
)
_again = st.tuples(st.just("reprocess"), _index, st.sampled_from(["completed", "failed"]), _flag)
_of_any = _of_any_alone | _again | _again
_world = (
    st.tuples(st.just("stage_later"), st.sampled_from([1, 1_000, 5_000, 100_000]))
    | st.just(("stage_locks_run_out",))
    | st.just(("stage_window_ends",))
    | st.tuples(st.just("rescue_stalled"), st.integers(0, 1))
    | st.tuples(st.just("stage_concurrency"), st.sampled_from([None, 1, 2]))
    | st.tuples(st.just("stage_events_kept"), st.sampled_from([None, 1, 200]))
    | st.tuples(st.just("stage_deduplicated"), st.sampled_from(["key", "ü"]),
                st.sampled_from([None, INTERVAL_MS]))
    | st.tuples(st.just("stage_flow"), st.lists(_policy, min_size=1, max_size=3))
)  # fmt: skip
_queue = (
    st.tuples(st.just("pause"), _flag)
    | st.tuples(st.just("clean"), st.sampled_from(
        ["completed", "failed", "delayed", "prioritized", "wait", "active"]),
        st.sampled_from([0, 2_000]), st.sampled_from([0, 1, 10]))
    | st.tuples(st.just("drain"), _flag)
    | st.just(("counts",))
)  # fmt: skip
# One call each, and none that needs another's reply: these may be in flight together.
_together = st.tuples(
    st.sampled_from(["at_once", "in_one_write"]),
    st.lists(_end | _end | _end | _take | _add | _running | _of_any_alone, min_size=2, max_size=8),
)
# A life is mostly: added, taken, ended somehow, and what may follow; several lives interleave.
_life = st.tuples(_add, _take, _end).map(list)
_after = st.lists(_of_any, max_size=2)
_busy = st.tuples(
    st.lists(_add, min_size=2, max_size=5), st.lists(_take, min_size=2, max_size=4), _together
).map(lambda parts: [*parts[0], *parts[1], parts[2]])
_stall = st.just([("take", None), ("rescue_stalled", 1), ("stage_locks_run_out",),
                  ("rescue_stalled", 1)])  # fmt: skip
_end_of_all = st.sampled_from(
    [
        [],
        [],
        [("pause", True), ("obliterate", True)],
        [("pause", True), ("obliterate", False)],
        [("obliterate", False)],
    ]
)
_part = st.one_of(
    st.tuples(_life, _after).map(lambda parts: parts[0] + parts[1]),
    _life,
    _busy,
    _busy,
    st.lists(_add, min_size=1, max_size=3),
    st.lists(_take | _end | _running | _of_any, min_size=1, max_size=4),
    st.lists(_of_any | _world, min_size=1, max_size=3),
    _stall | _queue.map(lambda step: [step]),
)
_steps = st.tuples(st.lists(_part, min_size=4, max_size=16), _end_of_all).map(
    lambda parts: [step for part in (*parts[0], parts[1]) for step in part]
)


class Stage:
    """Two databases of one server, opened once for all examples."""

    def __init__(self, url: str, link: Link) -> None:
        self._raw = [_client(url, number, decode=False) for number in (0, 1)]
        self._text = [_client(url, number, decode=True) for number in (0, 1)]
        self._packages = [Package(client) for client in self._text]
        self._theirs = Theirs(self._packages[0])
        self._link = link

    async def compare(self, steps: Sequence[Step], make_ours: type[Ours]) -> None:
        """Play the steps on both sides and compare all that is left."""
        await self._raw[0].flushall()
        clock = Clock()
        with clock.rules():
            play = Play(self._theirs, make_ours(self._link), self._packages, clock)
            await play.play(steps)
        theirs, ours = [await dump(client, BASE) for client in self._raw]
        assert ours.keys == theirs.keys
        assert ours.expires_like(theirs)

    async def close(self) -> None:
        await self._link.close()
        for client in (*self._raw, *self._text):
            await client.aclose()


def _client(url: str, database: int, *, decode: bool) -> Redis:
    client: Redis = Redis.from_url(url, db=database, protocol=2, decode_responses=decode)
    return client


@pytest.fixture(scope="module")
def compare(valkey_server: Valkey) -> Iterator[Compare]:
    """Compares stories on two databases of the shared server, emptied for each."""
    with asyncio.Runner() as runner:
        url = valkey_server.url.removesuffix("/0")
        stage = runner.run(_open(url))
        yield lambda steps, make_ours: runner.run(stage.compare(steps, make_ours))
        runner.run(stage.close())


async def _open(url: str) -> Stage:
    link = await Link(f"{url}/1").__aenter__()
    # A script that the server does not know is sent again, after the rest of its burst. Theirs
    # are known once theirs have run.
    for file in (Path(careerlens.wire.calls.__file__).parent / "lua").glob("*.lua"):
        await link.call("SCRIPT", "LOAD", own_script(file.stem).source)
    return Stage(url, link)


_often = settings(
    max_examples=3 * settings().max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.timeout(3_600)
@_often
@given(steps=_steps)
def test_our_calls_leave_what_theirs_leave(compare: Compare, steps: list[Step]) -> None:
    compare(steps, Ours)


@pytest.mark.timeout(3_600)
@_often
@given(steps=_steps)
def test_our_queue_leaves_what_theirs_leaves(compare: Compare, steps: list[Step]) -> None:
    compare(steps, OursByQueue)


class Noting(Ours):
    """Notes which calls it was asked to build, and which scripts they run."""

    built: ClassVar[set[str]] = set()
    run: ClassVar[set[str]] = set()

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        for name in _built_by_us():
            setattr(self.calls, name, self._noted(name, getattr(self.calls, name)))

    def _noted(self, name: str, build: Callable[..., Call]) -> Callable[..., Call]:
        def noted(*args: Any, **named: Any) -> Call:
            call = build(*args, **named)
            self.built.add(name)
            self.run.add(call[0].name)
            return call

        return noted


def _built_by_us() -> set[str]:
    functions = inspect.getmembers(QueueCalls, inspect.isfunction)
    return {name for name, built in functions if built.__annotations__["return"] == "Call"}


def test_every_call_and_script_of_ours_is_compared(compare: Compare) -> None:
    """A call added to `QueueCalls` must be given a place in this story and in the strategies."""
    compare(_EVERYTHING, Noting)
    assert Noting.built == _built_by_us()
    named = re.findall(r'_script\(\s*"([A-Za-z0-9-]+)"', inspect.getsource(careerlens.wire.calls))
    assert named
    assert Noting.run == set(named)


_twice = JobOptions(attempts=2)
_EVERYTHING: list[Step] = [
    ("add", QUEUE, {"a": 1}, _twice),
    ("add", QUEUE, {"a": 2}, JobOptions(delay_ms=1_000)),
    ("add", QUEUE, {"a": 3}, JobOptions(priority=2, attempts=3)),
    ("counts",),
    ("promote", 1),
    ("change_priority", 0, 1, False),
    ("update_data", 0, {"a": 4}),
    ("take", 3),
    ("progress", 2, {"percent": 5}),
    ("log", 2, "línea"),
    ("extend_locks",),
    ("retry", 0),
    ("take", None),
    ("finish", 0, "failed", None, True, None),
    ("reprocess", 2, "failed", True),
    ("delay", 0, 1_000, True, 3),
    ("hand_back", 0),
    ("take", None),
    ("rescue_stalled", 1),
    ("stage_locks_run_out",),
    ("rescue_stalled", 1),
    ("state", 2),
    ("snapshot", 2),
    ("cancel", 2),
    ("remove", 1),
    ("clean", "failed", 0, 10),
    ("stage_later", 5_000),
    ("take", None),
    ("finish", 0, "completed", {"ok": True}, True, None),
    ("finish", 0, "completed", None, False, None),
    ("add", QUEUE, None, JobOptions()),
    ("drain", True),
    ("pause", True),
    ("obliterate", True),
]
