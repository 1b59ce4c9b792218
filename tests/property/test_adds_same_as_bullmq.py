"""Our scripts that add jobs leave what BullMQ's leave, whatever they are handed and meet.

Both are handed the same keys and arguments, on two databases of one server, in queues of all
conditions: paused, full, without settings, with keys of the wrong kind, with parents, with jobs
that are known. Every reply is compared, an error by its kind, and at the end every byte that is
stored. The server cuts its streams at every few entries, so that it is seen who trims them.

`pytest --hypothesis-profile=deep` plays fifty times as many stories.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link
from careerlens.wire.packing import pack
from careerlens.wire.scripts import Script, bullmq_script, own_script
from queue_dump import dump
from support import Valkey

Step: TypeAlias = tuple[Any, ...]
Compare: TypeAlias = Callable[[Sequence[Step]], None]

BASE = "bull:größe 1:"
_PLACE_IN_SCRIPT = re.compile(r"script: [0-9a-f]{40}|user_script:[0-9]+")
KEYS = {
    "standard": "wait paused meta id completed delayed active events marker",
    "prioritized": "marker meta id prioritized delayed completed active events pc",
}
PARENT = f"{BASE}parent"
DATA = ["{}", '{"name":"Zoë \u2028"}', "null", '{"text":"' + "x" * 70_000 + '"}']

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_number = st.integers(-(2**31), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_value = st.recursive(
    st.none() | st.booleans() | _number | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_not_json = st.sampled_from([float("inf"), {1: 1, 1_000: 1}])
_deduplication: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": st.sampled_from(["key", "ü"])},
    optional={
        "ttl": st.sampled_from([0, 600_000]),
        "replace": st.booleans(),
        "extend": st.booleans(),
        "keepLastIfActive": st.booleans(),
    },
)
_usual_options: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"attempts": st.integers(1, 3)},
    optional={
        "priority": st.sampled_from([0, 1, 2, 2**21 - 1]),
        "lifo": st.booleans(),
        "delay": st.sampled_from([0, 5_000]),
        "backoff": st.sampled_from([{"type": "exponential", "delay": 2_000}, 1, {}, []]),
        "removeOnComplete": st.sampled_from([True, 5, {"age": 60, "count": 2}, {}]),
        "kl": st.integers(0, 9),
        "größe": _value,
        "": _value,
    },
)
_ids = [*("",) * 6, "a", "ü 1", "user-1:x:1:A", "5", "7", "meta", "id", "wait", "events", "pc"]


@st.composite
def _adds(draw: st.DrawFn) -> Step:
    """An add: mostly of a job on its own, else of one with a parent, a scheduler or a rival."""
    options = dict(draw(_usual_options))
    above: list[Any] = [None] * 5
    relation = draw(
        st.sampled_from(["none"] * 5 + ["parent", "listed", "scheduler", "rival", "not json"])
    )
    if relation == "parent":
        key = draw(st.sampled_from([PARENT, f"{BASE}nobody"]))
        link = {"id": key.removeprefix(BASE), "queueKey": BASE[:-1]}
        above = [key, draw(st.sampled_from([f"{key}:dependencies", None])), link, None, None]
    elif relation == "listed":
        above = [None, f"{PARENT}:dependencies", None, None, None]
    elif relation == "scheduler":
        above = [None, None, None, "nightly", None]
    elif relation == "rival":
        options["de"] = rule = draw(_deduplication)
        above = [None, None, None, None, f"{BASE}de:{rule['id']}"]
    elif relation == "not json":
        options["größe"] = draw(_not_json)
    head = [
        BASE,
        draw(st.sampled_from(_ids)),
        draw(st.sampled_from(["name", "Größe", ""])),
        draw(st.sampled_from([0, 1_700_000_000_000, 1_700_000_000_000.5, 2**53])),
        *above,
    ]
    script = draw(st.sampled_from(sorted(KEYS)))
    return ("add", script, head, draw(st.sampled_from(DATA)), options)


_scene = st.sampled_from(
    [
        ("HSET", "meta", "paused", 1),
        ("HDEL", "meta", "paused"),
        ("HSET", "meta", "concurrency", 0),
        ("HSET", "meta", "concurrency", 2),
        ("HSET", "meta", "concurrency", "many"),
        ("HDEL", "meta", "concurrency"),
        ("HSET", "meta", "opts.maxLenEvents", 3),
        ("HSET", "meta", "opts.maxLenEvents", 9),
        ("HSET", "meta", "opts.maxLenEvents", "some"),
        ("HDEL", "meta", "opts.maxLenEvents"),
        ("DEL", "meta"),
        ("DEL", "marker"),
        ("DEL", "events"),
        ("LPUSH", "active", "a"),
        ("DEL", "active"),
        ("HSET", "parent", "name", "parent"),
        ("ZADD", "waiting-children", 1, "parent"),
        ("DEL", "parent"),
        ("ZADD", "completed", 1, "a"),
        ("HSET", "a", "returnvalue", "1"),
        ("DEL", "a"),
        ("SET", "id", 4),
        ("SET", "id", 10**14),
        ("SET", "pc", 2**32 - 2),
        # Keys that are not what they should be: whatever was written before the error stays.
        ("SET", "5", "no job"),
        ("SET", "marker", "no marker"),
        ("SET", "wait", "no list"),
        ("SET", "events", "no stream"),
        ("SET", "meta", "no settings"),
        ("DEL", "wait"),
    ]
)
_full = [("HSET", "meta", "concurrency", 1), ("DEL", "active"), ("LPUSH", "active", "a")]
# Adds are played alone and in rows: what one leaves is what the next one meets.
_part = st.one_of(
    st.lists(_adds(), min_size=1, max_size=4), _scene.map(lambda step: [step]), st.just(_full)
)
_stories = st.lists(_part, min_size=2, max_size=12).map(
    lambda parts: [step for part in parts for step in part]
)


class Stage:
    """Two databases of one server: BullMQ's scripts work on the first, ours on the second."""

    def __init__(self, url: str) -> None:
        urls = [f"{url}/{number}" for number in (0, 1)]
        self._links = [Link(database) for database in urls]
        self._clients: list[Redis] = [Redis.from_url(database, protocol=2) for database in urls]

    async def compare(self, story: Sequence[Step]) -> None:
        """Play a story on both and compare what was answered and what is left."""
        await self._links[0].call("FLUSHALL")
        for step in story:
            theirs, ours = [
                await _play(link, scripts, step)
                for link, scripts in zip(self._links, (_THEIRS, _OURS), strict=True)
            ]
            assert ours == theirs, step
        theirs_left, ours_left = [await dump(client, BASE) for client in self._clients]
        assert ours_left.keys == theirs_left.keys
        assert ours_left.expires_like(theirs_left)

    async def close(self) -> None:
        for link in self._links:
            await link.close()
        for client in self._clients:
            await client.aclose()


async def _play(link: Link, scripts: dict[str, Script], step: Step) -> Any:
    name, *details = step
    try:
        if name != "add":
            key, *rest = details
            return await link.call(name, BASE + key, *rest)
        script, head, data, options = details
        keys = [BASE + suffix for suffix in KEYS[script].split()]
        return await link.run(scripts[script], keys, (pack(head), data, pack(options), head[3]))
    except CommandRejectedError as error:
        return _PLACE_IN_SCRIPT.sub("", error.reply)


_THEIRS = {
    "standard": bullmq_script("addStandardJob"),
    "prioritized": bullmq_script("addPrioritizedJob"),
}
_OURS = {name: own_script(f"add-{name}") for name in KEYS}


@pytest.fixture(scope="module")
def compare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compare]:
    """Compares stories on a server of this file's own."""
    folder = tmp_path_factory.mktemp("adds")
    server = Valkey(folder, durable=False, **{"stream-node-max-entries": "4"})
    server.start()
    try:
        with asyncio.Runner() as runner:
            stage = Stage(server.url.removesuffix("/0"))
            yield lambda story: runner.run(stage.compare(story))
            runner.run(stage.close())
    finally:
        server.kill()


def _alone(script: str, job_id: str, number: int = 1) -> Step:
    """An add as our queues make it, of a job that has nothing to do with others."""
    head = [BASE, job_id, "name", 1_700_000_000_000, *[None] * 5]
    options = {"attempts": 3, "priority": 1, "lifo": True}
    return ("add", script, head, json.dumps({"number": number}), options)


@pytest.mark.timeout(3_600)
@settings(deadline=None, max_examples=3 * settings().max_examples)
@given(story=_stories)
@example(story=[_alone("standard", "meta")])
@example(story=[_alone("prioritized", "id"), _alone("prioritized", "")])
@example(story=[("SET", "pc", 2**32 - 2), *[_alone("prioritized", "")] * 4])
@example(story=[*_full, _alone("standard", ""), _alone("prioritized", "")])
def test_our_adds_leave_what_theirs_leave(compare: Compare, story: list[Step]) -> None:
    compare(story)


@pytest.mark.parametrize("script", sorted(KEYS))
@pytest.mark.parametrize("job_id", ["", "a"])
def test_of_many_adds_the_same_events_are_kept(compare: Compare, script: str, job_id: str) -> None:
    """They are kept at nine, in rows of four."""
    adds = [_alone(script, job_id, number) for number in range(20)]
    compare([("HSET", "meta", "opts.maxLenEvents", 9), *adds])
    compare([("HSET", "meta", "paused", 1), *adds, ("HDEL", "meta", "paused"), *adds])
