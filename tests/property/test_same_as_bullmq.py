"""Whatever is asked of a queue, our calls leave the same keys and events as the bullmq package's.

Each example is played twice on one server, by the package under one prefix and by us under
another, and everything under the two prefixes is compared; only moments in time may differ.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis.asyncio
from bullmq import Queue as TheirQueue
from bullmq.job import Job as TheirJob
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careerlens.queue import Backoff, JobOptions, Queue
from careerlens.queue.record import JobRecord
from careerlens.wire import Link, QueueCalls, QueueKeys
from careerlens.wire.calls import fetch_options, finish_options, retention

QUEUE = "same"
LOCK_MS = 30_000
_STATES = "completed failed delayed active wait paused waiting-children prioritized"
_MOMENT = re.compile(r"(?<!\d)1[78]\d{11}(?!\d)")

Step = tuple[Any, ...]

_add = st.tuples(
    st.just("add"),
    st.fixed_dictionaries(
        {
            "priority": st.integers(0, 3),
            "delay_ms": st.sampled_from([0, 0, 3_600_000]),
            "lifo": st.booleans(),
            "attempts": st.integers(1, 3),
            "backoff": st.sampled_from([None, Backoff(delay_ms=1_000), Backoff(type="fixed")]),
            "remove_on_complete": st.sampled_from([None, True, 1, {"age": 3600, "count": 2}]),
            "remove_on_fail": st.sampled_from([None, False, 0, 2]),
            "job_id": st.sampled_from([None, None, "user-1:same:1700000000000:AAAAAAAAAAAAAAAA"]),
        }
    ),
)
_end = st.tuples(
    st.sampled_from(["complete", "fail", "retry", "delay", "reprocess", "remove", "progress"]),
    st.integers(0, 3),
    st.booleans(),
)
_other = st.sampled_from([("pause",), ("resume",), ("state",), ("counts",)])
# A life is mostly: added, taken, ended somehow; several lives interleave.
_life = st.tuples(_add, st.just(("take",)), _end).map(list)
_steps = st.lists(
    st.one_of(_life, _life, st.lists(_add, min_size=1, max_size=3), st.lists(_end, min_size=1))
    | _other.map(lambda step: [step])
    | st.just([("take",)]),
    min_size=4,
    max_size=15,
).map(lambda lives: [step for life in lives for step in life])


class Theirs:
    """Plays steps by the package."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        options = {"connection": client, "prefix": "theirs", "lockDuration": LOCK_MS}
        self.queue = TheirQueue(QUEUE, options)
        self.scripts = self.queue.scripts

    async def add(self, options: JobOptions) -> Any:
        wire = {"delay": 0} | options.to_wire()
        return (await self.queue.add(QUEUE, {"a": [1, "ü"]}, wire)).id

    async def take(self, token: str) -> tuple[str, dict[str, str]] | None:
        raw, job_id, *_ = await self.scripts.moveToActive(token, {"lockDuration": LOCK_MS})
        return (job_id, raw) if raw else None

    async def finish(
        self, target: str, job_id: str, raw: dict[str, str], token: str, fetch_next: bool
    ) -> Any:
        job = TheirJob.fromJSON(self.queue, raw, job_id)
        if target == "completed":
            move = self.scripts.moveToCompletedArgs(
                job, {"ok": True}, job.opts.get("removeOnComplete"), token, fetch_next
            )
        else:
            move = self.scripts.moveToFailedArgs(
                job,
                "why",
                job.opts.get("removeOnFail"),
                token,
                fetch_next,
                {"failedReason": "why", "stacktrace": "[]"},
            )
        found = await self.scripts.moveToFinished(job_id, *move)
        return (found[1], found[0]) if found and found[0] else None

    async def retry(self, job_id: str, raw: dict[str, str], token: str) -> None:
        lifo = json.loads(raw["opts"]).get("lifo", False)
        await self.scripts.retryJob(job_id, lifo, token, {"fieldsToUpdate": {"failedReason": "x"}})

    async def delay(self, job_id: str, token: str, fetch_next: bool) -> Any:
        options = {
            "fieldsToUpdate": {"failedReason": "x"},
            "fetchNext": fetch_next,
            "workerOpts": {"lockDuration": LOCK_MS},
        }
        found = await self.scripts.moveToDelayed(job_id, _now_ms(), 1_000_000, token, options)
        return (found[1], found[0]) if found and found[0] else None

    async def progress(self, job_id: str) -> None:
        await self.scripts.updateProgress(job_id, {"percent": 5, "message": "ü"})

    async def reprocess(self, job_id: str, raw: dict[str, str], state: str, reset: bool) -> None:
        job = TheirJob.fromJSON(self.queue, raw, job_id)
        options = {"resetAttemptsMade": reset, "resetAttemptsStarted": reset}
        await self.scripts.reprocessJob(job, state, options)

    async def remove(self, job_id: str) -> Any:
        return await self.scripts.remove(job_id, True)

    async def pause(self, paused: bool) -> None:
        await self.scripts.pause(paused)

    async def state(self, job_id: str) -> Any:
        return await self.scripts.commands["getStateV2"](
            keys=self.scripts.getKeys(_STATES.split()), args=[job_id]
        )

    async def counts(self) -> Any:
        counts = await self.queue.getJobCounts()
        return {name: counts[name] for name in sorted(counts)}


class Ours:
    """Plays steps by our calls."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.queue = Queue(QUEUE, link, prefix="ours")
        self.calls = QueueCalls(QueueKeys(QUEUE, "ours"))

    async def add(self, options: JobOptions) -> Any:
        return await self.queue.add(QUEUE, {"a": [1, "ü"]}, options)

    async def take(self, token: str) -> tuple[str, dict[str, str]] | None:
        options = fetch_options(token, LOCK_MS, None, None)
        return _taken(await self.link.run(*self.calls.take(_now_ms(), options)))

    async def finish(
        self, target: str, job_id: str, raw: dict[str, str], token: str, fetch_next: bool
    ) -> Any:
        record = JobRecord(job_id, {key.encode(): value.encode() for key, value in raw.items()})
        is_completed = target == "completed"
        remove = record.opts.get("removeOnComplete" if is_completed else "removeOnFail")
        options = finish_options(
            token,
            LOCK_MS,
            None,
            None,
            keep=retention(remove),
            attempts=record.max_attempts,
            stored=record.opts,
        )
        call = self.calls.finish(
            job_id,
            _now_ms(),
            "completed" if is_completed else "failed",
            '{"ok":true}' if is_completed else "why",
            options,
            {} if is_completed else {"failedReason": "why", "stacktrace": "[]"},
            fetch_next=fetch_next,
        )
        return _taken(await self.link.run(*call))

    async def retry(self, job_id: str, raw: dict[str, str], token: str) -> None:
        lifo = json.loads(raw["opts"]).get("lifo", False)
        call = self.calls.retry(job_id, _now_ms(), token, {"failedReason": "x"}, lifo=lifo)
        await self.link.run(*call)

    async def delay(self, job_id: str, token: str, fetch_next: bool) -> Any:
        options = fetch_options(token, LOCK_MS, None, None) if fetch_next else None
        fields: dict[str, str | int] = {"failedReason": "x"}
        call = self.calls.delay(job_id, _now_ms(), token, 1_000_000, fields, options)
        return _taken(await self.link.run(*call))

    async def progress(self, job_id: str) -> None:
        await self.queue.update_progress(job_id, {"percent": 5, "message": "ü"})

    async def reprocess(self, job_id: str, raw: dict[str, str], state: str, reset: bool) -> None:
        lifo = json.loads(raw["opts"]).get("lifo", False)
        call = self.calls.reprocess(
            job_id, "failed" if state == "failed" else "completed", lifo=lifo, reset=reset
        )
        await self.link.run(*call)

    async def remove(self, job_id: str) -> Any:
        return int(await self.queue.remove(job_id))

    async def pause(self, paused: bool) -> None:
        await (self.queue.pause() if paused else self.queue.resume())

    async def state(self, job_id: str) -> Any:
        return str(await self.queue.state(job_id))

    async def counts(self) -> Any:
        counts = await self.queue.counts()
        del counts["paused"]
        return {name: counts[name] for name in sorted(counts)}


def _taken(reply: Any) -> tuple[str, dict[str, str]] | None:
    if not isinstance(reply, list) or not isinstance(reply[0], list):
        return None
    flat = [part.decode() for part in reply[0]]
    return reply[1].decode(), dict(zip(flat[::2], flat[1::2], strict=True))


def _now_ms() -> int:
    return round(time.time() * 1000)


async def play(steps: list[Step], side: Theirs | Ours) -> list[Any]:
    """Play the steps; what is visible of each answer is returned."""
    running: list[tuple[str, dict[str, str], str]] = []
    finished: list[tuple[str, dict[str, str], str]] = []
    known: list[str] = []
    answers: list[Any] = []

    def begin(taken: Any, token: str) -> None:
        if taken is not None:
            running.append((*taken, token))
        answers.append(taken and (taken[0], _timeless(_hash(taken[1]))))

    for number, (action, *details) in enumerate(steps):
        token = f"token:{number}"
        if action == "add":
            job_id = await side.add(JobOptions(**details[0]))
            known.append(job_id)
            answers.append(job_id)
        elif action == "take":
            begin(await side.take(token), token)
        elif action in ("pause", "resume"):
            await side.pause(action == "pause")
        elif action == "counts":
            answers.append(await side.counts())
        elif action == "state":
            answers.append([await side.state(job_id) for job_id in known])
        elif action == "remove":
            if known:
                answers.append(await side.remove(known[details[0] % len(known)]))
        elif action == "reprocess":
            if finished:
                job_id, raw, state = finished.pop(details[0] % len(finished))
                if await side.state(job_id) == state:
                    await side.reprocess(job_id, raw, state, details[1])
        elif running:
            index = details[0] % len(running)
            if action == "progress":
                await side.progress(running[index][0])
                continue
            job_id, raw, held = running.pop(index)
            if action == "retry":
                await side.retry(job_id, raw, held)
            elif action == "delay":
                begin(await side.delay(job_id, held, details[1]), held)
            else:
                target = "completed" if action == "complete" else "failed"
                begin(await side.finish(target, job_id, raw, held, details[1]), held)
                finished.append((job_id, raw, target))
    return answers


async def everything(client: redis.asyncio.Redis, prefix: str) -> dict[str, Any]:
    """Every key under a prefix with its content, without moments in time."""
    found: dict[str, Any] = {}
    read: dict[str, Callable[[str], Awaitable[Any]]] = {
        "string": client.get,
        "hash": client.hgetall,
        "set": client.smembers,
        "list": lambda key: client.lrange(key, 0, -1),
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        "stream": lambda key: client.xrange(key),
    }
    async for key in client.scan_iter(f"{prefix}:*"):
        kind = str(await client.type(key))
        content = await read[kind](key)
        suffix = key.removeprefix(f"{prefix}:{QUEUE}:")
        if kind == "hash":
            content = _hash(content)
        elif kind == "stream":
            content = [fields for _, fields in content]
        elif suffix in ("completed", "failed", "delayed") or suffix == "marker":
            content = sorted(member for member, _ in content)
        found[suffix] = _timeless(content)
    return found


def _hash(fields: dict[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = dict(fields)
    if "opts" in content:
        options = json.loads(content["opts"])
        # The package writes its defaults out; leaving them out means the same.
        content["opts"] = {k: value for k, value in options.items() if value or k != "delay"}
    return content


def _timeless(content: Any) -> Any:
    return json.loads(_MOMENT.sub("0", json.dumps(content, sort_keys=True, default=sorted)))


@pytest.mark.timeout(600)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_steps)
def test_our_calls_leave_what_theirs_leave(redis_url: str, steps: list[Step]) -> None:
    async def compare() -> None:
        client = redis.asyncio.Redis.from_url(
            redis_url, decode_responses=True, socket_timeout=10, protocol=2
        )
        async with client, Link(redis_url) as link:
            await client.flushall()
            assert await play(steps, Theirs(client)) == await play(steps, Ours(link))
            assert await everything(client, "theirs") == await everything(client, "ours")

    asyncio.run(compare())
