"""Our scripts that take and finish jobs leave what BullMQ's leave, whatever state a queue is in.

Both are handed the same keys and arguments, on two databases of one server: in queues that are
paused or limited, with delayed jobs that are due, with parents, rivals, retention, lost locks,
missing jobs and settings, and marks of old versions. Every reply is compared, an error by its
kind, and at the end every byte that is stored. The server cuts its streams at every few entries,
so that it is seen who trims them. Not compared: finishing into `completed` or `events` where
these are keys of another type. Both lose the job's place then, at different lines.

`pytest --hypothesis-profile=deep` plays fifty times as many stories.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import hiredis
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from careerlens.wire.calls import QueueCalls, fetch_options, finish_options
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call, Link
from careerlens.wire.scripts import bullmq_script
from queue_dump import dump, in_order
from support import Valkey

Step: TypeAlias = tuple[Any, ...]
Compare: TypeAlias = Callable[[Sequence[Step]], None]

BASE = "bull:größe 1:"
CALLS = QueueCalls(QueueKeys("größe 1"))
START_MS = 1_700_000_000_000
LOCK_MS = 600_000
WINDOW_MS = 3_600_000
THEIRS = {"take": ("moveToActive", 3), "finish": ("moveToFinished", 9)}
"""Whose script does it, and how many arguments it reads."""
PARENT = f"{BASE}parent"

LAST = 5
_which = st.integers(0, LAST)
_name = st.sampled_from([None, "host:1", "host:1", "größe", ""])
_token = st.sampled_from(["t:1", "t:1", "t:1", "t:2", "0", ""])
_limit = st.sampled_from([None] * 6 + [1, 3])
_keep: st.SearchStrategy[dict[str, int]] = st.sampled_from(
    [
        {"count": -1},
        {"count": -1},
        {},
        {"count": 0},
        {"count": 1},
        {"count": 2},
        {"age": 86_400, "count": 2},
        {"age": 86_400, "count": 3},
        {"age": 60},
        {"age": 60, "count": 10_000},
        {"age": 0},
        {"age": 60, "limit": 1},
    ]
)
_add = st.tuples(
    st.just("add"),
    st.sampled_from([{}, {}, {"priority": 1}, {"priority": 2}, {"delay": 5_000}, {"lifo": True},
                     {"delay": 5_000, "priority": 1}]),
    st.sampled_from(["{}", '{"text":"' + "ü" * 300 + '"}']),
)  # fmt: skip
_take = st.tuples(st.just("take"), _token, _name, _limit)
_finish = st.tuples(
    st.just("finish"),
    _which,
    st.sampled_from(["completed"] * 5 + ["failed"]),
    st.sampled_from([None] * 6 + ["t:1", "nobody's"]),
    _name,
    _limit,
    _keep,
    st.sampled_from([{}] * 6 + [{"failedReason": "why", "errorCode": ""}]),
    st.sampled_from([True] * 5 + [False]),
)
_usual_finish = st.tuples(
    st.just("finish"), _which, st.just("completed"), st.just(None), st.just("host:1"),
    st.just(None), _keep, st.just({}), st.just(True),
)  # fmt: skip
_later = st.tuples(st.just("later"), st.sampled_from([1, 1, 1_000, 5_000, 100_000]))
_usual_scene = st.sampled_from(
    [
        ("SADD", "stalled", "id"),
        ("SADD", "stalled", "somebody"),
        ("RPUSH", "wait", "0:0"),
        ("RPUSH", "wait", "0:5000"),
        ("RPUSH", "wait", "gone"),
        ("HSET", "job", "atm", 3),
        ("LREM", "active", 0, "id"),
        ("ZADD", "completed", START_MS - 1, "known"),
        ("RPUSH", "known:logs", "line"),
        ("DEL", "delayed"),
        ("DEL", "completed"),
        ("DEL", "stalled"),
    ]
)
# `job`, `job key` and `id` stand for the job that was taken last.
SCENES: list[Step] = [
    ("HSET", "meta", "paused", 1),
    ("HDEL", "meta", "paused"),
    ("HSET", "meta", "concurrency", 1),
    ("HSET", "meta", "concurrency", 2),
    ("HDEL", "meta", "concurrency"),
    ("HSET", "meta", "max", 2, "duration", WINDOW_MS),
    ("HDEL", "meta", "max"),
    ("DEL", "limiter"),
    ("HSET", "meta", "opts.maxLenEvents", 1),
    ("HSET", "meta", "opts.maxLenEvents", 5),
    ("HSET", "meta", "opts.maxLenEvents", 0),
    ("HSET", "meta", "opts.maxLenEvents", "some"),
    ("HDEL", "meta", "opts.maxLenEvents"),
    ("DEL", "meta"),
    ("SET", "meta", "no settings"),
    ("DEL", "events"),
    ("SADD", "stalled", "id"),
    ("SADD", "stalled", "somebody"),
    ("RPUSH", "wait", "0:0"),
    ("RPUSH", "wait", "0:5000"),
    ("RPUSH", "wait", "gone"),
    ("ZADD", "delayed", (START_MS + 1_000) * 4_096, "gone"),
    ("SET", "delayed", "no set"),
    ("DEL", "delayed"),
    ("SET", "marker", "no set"),
    ("DEL", "marker"),
    ("SET", "prioritized", "no set"),
    ("DEL", "prioritized"),
    ("DEL", "completed"),
    ("ZADD", "completed", START_MS - 70_000, "old"),
    ("ZADD", "completed", START_MS - 1, "known", START_MS - 1, "known too"),
    ("HSET", "known", "name", "n", "parentKey", PARENT),
    ("SADD", "parent:dependencies", f"{BASE}known"),
    ("RPUSH", "known:logs", "line"),
    ("ZADD", "completed", START_MS - 50_000, "id"),
    ("DEL", "job:lock"),
    ("SET", "job:lock", "t:2"),
    ("DEL", "job"),
    ("HDEL", "job", "timestamp"),
    ("LREM", "active", 0, "id"),
    ("HSET", "job", "atm", 3),
    ("HSET", "job", "atm", "many"),
    ("HSET", "job", "ats", "many"),
    ("HSET", "job", "parentKey", PARENT),
    ("HSET", "job", "parentKey", PARENT, "parent",
     f'{{"id":"parent","queueKey":"{BASE[:-1]}","fpof":true}}'),
    ("SADD", "parent:dependencies", "job key"),
    ("HSET", "parent", "name", "parent"),
    ("ZADD", "waiting-children", 1, "parent"),
    ("SADD", "job:dependencies", "child"),
    ("SET", "job:dependencies", "no set"),
    ("ZADD", "job:unsuccessful", 1, "child"),
    ("HSET", "job", "deid", "ü"),
    ("SET", "de:ü", "id"),
    ("HSET", "dn:ü", "name", "next", "data", "{}", "opts", "{}"),
]  # fmt: skip
_scene = st.sampled_from(SCENES)
_calm = st.sampled_from([1, 3, 7, 10_000]).map(
    lambda kept: [("DEL", "meta"), ("HSET", "meta", "opts.maxLenEvents", kept)]
)
_usual_take = st.tuples(
    st.just("take"), st.sampled_from(["t:1", "t:2"]), st.sampled_from([None, "host:1"]), st.none()
)
_usual_part = st.tuples(
    _calm,
    st.lists(_add, min_size=1, max_size=5),
    st.lists(_usual_take, min_size=1, max_size=3),
    st.lists(_usual_finish | _usual_finish | _later | _usual_scene, min_size=1, max_size=8),
).map(lambda parts: [step for part in parts for step in part])
_part = st.one_of(
    _usual_part,
    _usual_part,
    _usual_part,
    st.lists(_add | _take | _finish, min_size=1, max_size=4),
    st.tuples(_scene, _usual_finish).map(list),
    st.tuples(_scene, _scene, _take).map(list),
    st.tuples(_scene, _finish, _later).map(list),
)
_stories = st.lists(_part, min_size=2, max_size=12).map(
    lambda parts: [step for part in parts for step in part]
)


class Story:
    """What both databases have lived through so far."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self._now_ms = START_MS
        self._taken: list[tuple[str, str]] = []

    async def play(self, step: Step) -> None:
        """Play one step on both, and compare what was answered."""
        name, *details = step
        if name == "later":
            self._now_ms += details[0]
        elif name == "memory":
            await self._links[0].call("CONFIG", "SET", "maxmemory", details[0])
        elif name in ("add", "take", "finish"):
            await getattr(self, f"_{name}")(*details)
        else:
            await self._both([(name, *self._named(details))] * 2, step)

    def _named(self, words: Sequence[Any]) -> list[Any]:
        job_id = self._taken[-1][0] if self._taken else "nobody"
        named = {"id": job_id, "job key": f"{BASE}{job_id}"}
        key, *rest = [named.get(word, word) for word in words]
        return [BASE + (job_id + key.removeprefix("job") if key.startswith("job") else key), *rest]

    async def _both(self, commands: Sequence[Sequence[Any]], step: Step) -> Any:
        theirs, ours = [
            await _answer(link, command)
            for link, command in zip(self._links, commands, strict=True)
        ]
        assert ours == theirs, step
        return ours

    async def _script(self, name: str, call: Call, step: Step) -> Any:
        ours, keys, args = call
        script, read = THEIRS.get(name, (None, 0))
        theirs = (bullmq_script(script), keys, args[:read]) if script else call
        commands = [
            ("EVAL", script.source, len(keys), *keys, *args)
            for script, keys, args in (theirs, (ours, keys, args))
        ]
        return await self._both(commands, step)

    async def _add(self, options: dict[str, Any], data: str) -> None:
        adding = CALLS.adding({"attempts": 1, **options})
        call = CALLS.add("", "n", data, adding, self._now_ms)
        await self._script("add", call, ("add", options))

    async def _take(self, token: str, worker: str | None, limit: int | None) -> None:
        options = fetch_options(token, LOCK_MS, _window(limit), worker)
        reply = await self._script("take", CALLS.take(self._now_ms, options), ("take", token))
        self._note(reply, token)

    async def _finish(
        self,
        which: int,
        target: Literal["completed", "failed"],
        token: str | None,
        worker: str | None,
        limit: int | None,
        keep: dict[str, int],
        fields: dict[str, str],
        fetch_next: bool,
    ) -> None:
        if not self._taken:
            self._taken.append(("nobody", "t:1"))
        place = -1 - which % len(self._taken)
        # One is remembered, so that it may be ended again.
        job_id, held_by = self._taken[place] if which == LAST else self._taken.pop(place)
        token = held_by if token is None else token
        options = finish_options(
            token, LOCK_MS, _window(limit), worker, keep=keep, attempts=1, stored={}
        )
        call = CALLS.finish(
            job_id, self._now_ms, target, "a value", options, fields, fetch_next=fetch_next
        )
        self._note(await self._script("finish", call, ("finish", job_id, token, keep)), token)

    def _note(self, reply: Any, token: str) -> None:
        if isinstance(reply, list) and len(reply) > 1 and reply[1]:
            self._taken.append((reply[1].decode(), token))


class Stage:
    """Two databases of one server: BullMQ's scripts work on the first, ours on the second."""

    def __init__(self, url: str) -> None:
        urls = [f"{url}/{number}" for number in (0, 1)]
        self.links = [Link(database) for database in urls]
        self._clients: list[Redis] = [Redis.from_url(database, protocol=2) for database in urls]

    async def compare(self, steps: Sequence[Step]) -> None:
        """Play a story on both and compare what was answered and what is left."""
        await self.links[0].call("CONFIG", "SET", "maxmemory", 0)
        await self.links[0].call("FLUSHALL")
        story = Story(self.links)
        for step in steps:
            await story.play(step)
        theirs_left, ours_left = [await dump(client, BASE) for client in self._clients]
        assert ours_left.keys == theirs_left.keys
        assert ours_left.expires_like(theirs_left)

    async def close(self) -> None:
        for link in self.links:
            await link.close()
        for client in self._clients:
            await client.aclose()


async def _answer(link: Link, command: Sequence[Any]) -> Any:
    [reply] = await link.exchange([command])
    if isinstance(reply, hiredis.ReplyError):
        return f"refused: {str(reply).partition(' ')[0]}"
    if not isinstance(reply, list) or len(reply) != 4:
        return reply
    flat, job_id, limited_ms, due_ms = reply
    if isinstance(flat, list):
        flat = in_order(list(zip(flat[::2], flat[1::2], strict=True)))
    return [flat, job_id, limited_ms > 0, due_ms]


def _window(limit: int | None) -> tuple[int, int] | None:
    return None if limit is None else (limit, WINDOW_MS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server of this file's own."""
    folder = tmp_path_factory.mktemp("works")
    server = Valkey(folder, durable=False, **{"stream-node-max-entries": "3"})
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def compare(server: Valkey) -> Iterator[Compare]:
    """Compares stories on the two."""
    with asyncio.Runner() as runner:
        stage = Stage(server.url.removesuffix("/0"))
        yield lambda story: runner.run(stage.compare(story))
        runner.run(stage.close())


ADD: Step = ("add", {}, "{}")
TAKE: Step = ("take", "t:1", "host:1", None)
LATER: Step = ("later", 1)


def _finish_with(**other: Any) -> Step:
    usual = {
        "which": 0, "target": "completed", "token": None, "worker": "host:1", "limit": None,
        "keep": {"count": -1}, "fields": {}, "fetch_next": True,
    }  # fmt: skip
    return ("finish", *(usual | other).values())


FINISH = _finish_with()
FEW_KEPT = _finish_with(keep={"age": 60, "count": 2})
FINISHES = [
    FINISH,
    FEW_KEPT,
    *[_finish_with(keep={"count": count}) for count in (0, 1)],
    *[_finish_with(keep=keep) for keep in ({}, {"age": 60}, {"age": 0})],
    _finish_with(fetch_next=False),
    _finish_with(target="failed"),
    _finish_with(target="failed", fields={"failedReason": "why"}),
    _finish_with(fields={"cancelRequestedAt": 0}),
    _finish_with(limit=1),
    _finish_with(token="nobody's"),
    _finish_with(token="0"),
    *[_finish_with(worker=worker) for worker in (None, "")],
]
"""Ends with the usual options, and with each that is not."""
KNOWN: list[Step] = [("ZADD", "completed", START_MS - 1, "known"), ("HSET", "known", "name", "n")]
CONDITIONS: list[list[Step]] = [
    [],
    *[[scene] for scene in SCENES],
    [("HSET", "job", "parentKey", PARENT), ("SADD", "parent:dependencies", "job key"),
     ("HSET", "parent", "name", "n"), ("ZADD", "waiting-children", 1, "parent")],
    [("HSET", "job", "deid", "ü"), ("SET", "de:ü", "id"),
     ("HSET", "dn:ü", "name", "next", "data", "{}", "opts", "{}")],
    [("HSET", "meta", "max", 1, "duration", WINDOW_MS), ("SET", "limiter", 1)],
    [("SET", "stalled", "no set"), ("DEL", "delayed")],
    [("ZADD", "delayed", (START_MS + 1) * 4_096 + 5, "due now")],
    [("DEL", "active"), ("LPUSH", "active", "id"), ("DEL", "wait"), ("RPUSH", "wait", "0:5000"),
     ("DEL", "delayed")],
    [*KNOWN, ("RPUSH", "known:logs", "line")],
    [*KNOWN, ("ZADD", "completed", START_MS, "known too")],
    [*KNOWN, ("ZADD", "completed", START_MS - 59_000, "old")],
    [*KNOWN, ("ZADD", "completed", START_MS - 2, "id")],
    [*KNOWN, ("ZADD", "completed", START_MS, "id")],
    [("ZADD", "completed", START_MS + 1, "of now")],
    [*KNOWN, ("ZADD", "completed", START_MS + 5, "of tomorrow")],
    [*KNOWN, ("HSET", "known", "parentKey", PARENT), ("HSET", "parent", "name", "n"),
     ("SADD", "parent:dependencies", f"{BASE}known"), ("ZADD", "waiting-children", 1, "parent")],
]  # fmt: skip
"""What a running job, its queue and the finished jobs may be like."""
PRIORITIZED: Step = ("add", {"priority": 1}, "{}")
RUNNING: list[Step] = [
    ("HSET", "meta", "opts.maxLenEvents", 5),
    *[ADD, ADD, PRIORITIZED, PRIORITIZED, ("add", {"delay": 5_000}, "{}"), TAKE, TAKE, LATER],
]


@pytest.mark.parametrize("finish", FINISHES, ids=str)
def test_a_job_ends_as_theirs_in_every_condition(compare: Compare, finish: Step) -> None:
    for condition in CONDITIONS:
        compare([*RUNNING, *condition, finish])


@pytest.mark.parametrize("finish", [FINISH, FEW_KEPT], ids=["keeps all", "keeps few"])
def test_jobs_end_as_theirs_after_every_condition(compare: Compare, finish: Step) -> None:
    for condition in CONDITIONS:
        compare([*RUNNING, *condition, finish, LATER, finish, LATER, finish])


@pytest.mark.parametrize("worker", [None, "", "host:1"])
@pytest.mark.parametrize("limit", [None, 1])
def test_a_job_is_taken_as_theirs_in_every_condition(
    compare: Compare, worker: str | None, limit: int | None
) -> None:
    for condition in CONDITIONS:
        take = ("take", "t:1", worker, limit)
        compare([*RUNNING, *condition, take, take, take, ("later", 5_000), take])


def test_a_server_without_memory_refuses_the_same(compare: Compare) -> None:
    """It refuses a script at its first write, unless that is one which frees memory."""
    full, roomy = ("memory", 1), ("memory", 0)
    compare([*RUNNING, full, FINISH, roomy])
    compare([*RUNNING, full, TAKE, roomy, TAKE])
    compare([*RUNNING, TAKE, TAKE, full, TAKE, roomy, TAKE])
    compare([*RUNNING, TAKE, TAKE, full, FINISH, FEW_KEPT, roomy, FINISH])


@pytest.mark.timeout(3_600)
@settings(deadline=None, max_examples=3 * settings().max_examples)
@given(story=_stories)
@example(story=[ADD, TAKE, ("RPUSH", "wait", "0:0"), FINISH])
@example(story=[ADD, ADD, TAKE, ("RPUSH", "wait", "0:5"), FINISH])
@example(story=[*[PRIORITIZED] * 3, TAKE, ("RPUSH", "wait", "0:0"), FINISH])
def test_our_takes_and_ends_leave_what_theirs_leave(compare: Compare, story: list[Step]) -> None:
    compare(story)


@pytest.mark.parametrize("kept", range(1, 8))
@pytest.mark.parametrize("options", [{}, {"priority": 1}])
def test_of_many_ends_the_same_events_are_kept(
    compare: Compare, kept: int, options: dict[str, Any]
) -> None:
    """The server's nodes hold three."""
    adds = [("add", options, "{}")] * 20
    ends = [LATER, _finish_with(keep={"age": 86_400, "count": 3})] * 20
    compare([*adds, ("HSET", "meta", "opts.maxLenEvents", kept), TAKE, *ends])
