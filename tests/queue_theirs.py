"""Operations on a queue by the Python bullmq package's own classes, for comparing ours with them.

Every method of `Theirs` and of `queue_ours.Ours` is one operation with the same meaning, and
returns what the server replied, so that both can be told the same. Both read one clock.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias
from unittest.mock import patch

import bullmq.job
import bullmq.scripts
from bullmq import FlowProducer
from bullmq import Queue as PackageQueue
from bullmq.job import Job as PackageJob
from bullmq.redis_connection import loadScript
from redis.asyncio import Redis

import careerlens.foundation.clock
from careerlens.queue import JobOptions
from careerlens.wire import CANCELLED_REASON
from careerlens.wire.calls import LOG_LINES_KEPT
from careerlens.wire.cancel import CANCEL_MARK, ERROR_CODE

QUEUE = "same"
PREFIX = "bull"
# So long that no lock, window or guard runs out by itself: tests end them by hand.
LOCK_MS = 600_000
WINDOW_MS = 3_600_000
INTERVAL_MS = 1_800_000

Target: TypeAlias = Literal["completed", "failed"]
STATES = "completed failed delayed active wait paused waiting-children prioritized".split()  # noqa: SIM905
FAILED = {"failedReason": "why", "stacktrace": '["trace"]', "errorCode": "x"}


@dataclass
class Clock:
    """What time both sides believe it is."""

    now_ms: int = 1_700_000_000_000

    @contextmanager
    def rules(self) -> Iterator[None]:
        """Let the package's modules and ours read this clock."""
        theirs = SimpleNamespace(time=lambda: self.now_ms / 1000)
        ours = SimpleNamespace(time_ns=lambda: self.now_ms * 1_000_000)
        with ExitStack() as patches:
            patches.enter_context(patch.object(bullmq.scripts, "time", theirs))
            patches.enter_context(patch.object(bullmq.job, "time", theirs))
            patches.enter_context(patch.object(careerlens.foundation.clock, "time", ours))
            yield


@dataclass(frozen=True, slots=True)
class Held:
    """A job between its take and its end."""

    job_id: str
    fields: dict[str, str]
    token: str

    @property
    def is_lifo(self) -> bool:
        """Whether it goes to the front of the line again."""
        return bool(json.loads(self.fields.get("opts", "{}")).get("lifo", False))


def plain(reply: Any) -> Any:
    """A reply as text and numbers."""
    if isinstance(reply, list):
        return [plain(part) for part in reply]
    return reply.decode() if isinstance(reply, bytes) else reply


class Package:
    """The bullmq package on one database; it also sets scenes that we have no word for."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.queue = PackageQueue(QUEUE, {"connection": client, "prefix": PREFIX})
        self.flows = FlowProducer({"connection": client, "prefix": PREFIX})

    async def add_deduplicated(self, key: str, ttl_ms: int | None) -> str:
        """Add a job as a producer with a deduplication key."""
        rule = {"id": key} if ttl_ms is None else {"id": key, "ttl": ttl_ms}
        job = await self.queue.add(QUEUE, {}, {"deduplication": rule, "attempts": 2})
        return str(job.id)

    async def add_flow(self, parent_id: str, children: Mapping[str, str | None]) -> None:
        """Add a parent with children (id to the option that says what its failure means)."""
        await self.flows.add(
            {
                "name": QUEUE,
                "queueName": QUEUE,
                "data": {},
                "opts": {"jobId": parent_id},
                "children": [
                    {
                        "name": QUEUE,
                        "queueName": QUEUE,
                        "data": {},
                        "opts": {"jobId": child_id} | ({policy: True} if policy else {}),
                    }
                    for child_id, policy in children.items()
                ],
            }
        )


class Theirs:
    """Operations by the package's own classes."""

    def __init__(self, package: Package) -> None:
        self.scripts = package.queue.scripts
        self._client = package.client
        self._queue = package.queue
        self._reply: Any = None
        for name, command in list(self.scripts.commands.items()):
            self.scripts.commands[name] = self._remembering(command)

    def _remembering(self, command: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def run(keys: Any = None, args: Any = None, client: Any = None) -> Any:
            self._reply = await command(keys=keys, args=args, client=client)
            return self._reply

        return run

    async def _reply_of(self, asked: Awaitable[Any]) -> Any:
        """What the script replied; the package makes an exception of a refusal."""
        try:
            await asked
        except Exception:
            if not isinstance(self._reply, int) or self._reply >= 0:
                raise
        return plain(self._reply)

    async def _from_file(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """A script that the package carries and never calls."""
        return await self._client.register_script(loadScript(name))(keys=keys, args=args)

    async def add(self, name: str, data: Any, options: JobOptions) -> Any:
        wire = options.to_wire()
        job = PackageJob(self._queue, name, data, wire)
        job.opts = wire  # without the defaults that the package spells out
        return await self._reply_of(self.scripts.addJob(job))

    async def take(self, token: str, limit: int | None) -> Any:
        options = {"lockDuration": LOCK_MS, "limiter": _limiter(limit)}
        return await self._reply_of(self.scripts.moveToActive(token, options))

    async def finish(
        self, held: Held, target: Target, value: Any, *, fetch_next: bool, limit: int | None
    ) -> Any:
        self._queue.opts.update(lockDuration=LOCK_MS, limiter=_limiter(limit))
        job = PackageJob.fromJSON(self._queue, held.fields, held.job_id)
        if target == "completed":
            remove = job.opts.get("removeOnComplete")
            move = self.scripts.moveToCompletedArgs(job, value, remove, held.token, fetch_next)
        else:
            remove = job.opts.get("removeOnFail")
            move = self.scripts.moveToFailedArgs(job, "why", remove, held.token, fetch_next, FAILED)
        return await self._reply_of(self.scripts.moveToFinished(held.job_id, *move))

    async def retry(self, held: Held) -> Any:
        fields = {"fieldsToUpdate": FAILED}
        return await self._reply_of(
            self.scripts.retryJob(held.job_id, held.is_lifo, held.token, fields)
        )

    async def delay(self, held: Held, delay_ms: int, *, fetch_next: bool, limit: int | None) -> Any:
        options = {
            "fieldsToUpdate": FAILED,
            "fetchNext": fetch_next,
            "workerOpts": {"lockDuration": LOCK_MS, "limiter": _limiter(limit)},
        }
        now_ms = round(bullmq.scripts.time.time() * 1000)
        return await self._reply_of(
            self.scripts.moveToDelayed(held.job_id, now_ms, delay_ms, held.token, options)
        )

    async def hand_back(self, held: Held) -> Any:
        keys = "active wait stalled paused meta limiter prioritized marker events"
        return await self._from_file(
            "moveJobFromActiveToWait-9.lua",
            self.scripts.getKeys(keys.split()),
            [held.job_id, held.token, self.scripts.toKey(held.job_id)],
        )

    async def extend_locks(self, held: list[Held]) -> Any:
        ids, tokens = [job.job_id for job in held], [job.token for job in held]
        return await self._reply_of(self.scripts.extendJobLocks(ids, tokens, 2 * LOCK_MS))

    async def rescue_stalled(self, max_stalled: int) -> Any:
        return await self._reply_of(self.scripts.moveStalledJobsToWait(max_stalled, INTERVAL_MS))

    async def progress(self, job_id: str, value: Any) -> Any:
        return await self._reply_of(self.scripts.updateProgress(job_id, value))

    async def log(self, job_id: str, line: str) -> Any:
        keys = [self.scripts.toKey(job_id), self.scripts.toKey(f"{job_id}:logs")]
        return await self._from_file("addLog-2.lua", keys, [job_id, line, LOG_LINES_KEPT])

    async def promote(self, job_id: str) -> Any:
        return await self._reply_of(self.scripts.promote(job_id))

    async def change_priority(self, job_id: str, priority: int, lifo: bool) -> Any:
        return await self._reply_of(self.scripts.changePriority(job_id, priority, lifo))

    async def update_data(self, job_id: str, data: Any) -> Any:
        return await self._reply_of(self.scripts.updateData(job_id, data))

    async def reprocess(self, job_id: str, target: Target, *, reset: bool) -> Any:
        """As our `Queue.retry`, which first forgets what we noted about an earlier run."""
        options = {"resetAttemptsMade": reset, "resetAttemptsStarted": reset}
        if await self.state(job_id) == target:
            await self._client.hdel(self.scripts.toKey(job_id), CANCEL_MARK, ERROR_CODE)
        fields = await self._client.hgetall(self.scripts.toKey(job_id))
        job = PackageJob.fromJSON(self._queue, fields, job_id)
        return await self._reply_of(self.scripts.reprocessJob(job, target, options))

    async def remove(self, job_id: str) -> Any:
        return await self._reply_of(self.scripts.remove(job_id, True))

    async def pause(self, paused: bool) -> Any:
        return await self._reply_of(self.scripts.pause(paused))

    async def clean(self, state: str, grace_ms: int, limit: int) -> Any:
        return await self._reply_of(self.scripts.cleanJobsInSet(state, grace_ms, limit))

    async def drain(self, delayed: bool) -> Any:
        return await self._reply_of(self.scripts.drain(delayed))

    async def obliterate(self, force: bool) -> Any:
        return await self._reply_of(self.scripts.obliterate(1_000, force))

    async def counts(self) -> Any:
        return await self._reply_of(self.scripts.getCounts(STATES))

    async def state(self, job_id: str) -> Any:
        return await self._reply_of(self.scripts.getState(job_id))

    async def snapshot(self, job_id: str) -> Any:
        fields = await self._client.hgetall(self.scripts.toKey(job_id))
        state = await self.state(job_id) if fields else "unknown"
        return [state, [part for item in fields.items() for part in item]]

    async def cancel(self, job_id: str) -> Any:
        """What our script promises, by the package: taken out of its place, and failed by them."""
        state, fields = await self.state(job_id), self.scripts.toKey(job_id)
        if state in ("completed", "failed"):
            return "final"
        if state == "unknown":
            return "missing"
        now_ms = round(bullmq.scripts.time.time() * 1000)
        if state == "active":
            await self._client.hsetnx(fields, "cancelRequestedAt", now_ms)
            return "requested"
        for place in ("prioritized", "delayed", "waiting-children"):
            await self._client.zrem(self.scripts.keys[place], job_id)
        await self._client.lrem(self.scripts.keys["wait"], 1, job_id)
        await self._client.lpush(self.scripts.keys["active"], job_id)
        await self._client.set(f"{fields}:lock", "cancel", px=LOCK_MS)
        job = PackageJob.fromJSON(self._queue, await self._client.hgetall(fields), job_id)
        job.attempts = job.attemptsMade + 2
        move = self.scripts.moveToFailedArgs(
            job,
            CANCELLED_REASON,
            job.opts.get("removeOnFail"),
            "cancel",
            False,
            {"errorCode": "cancelled"},
        )
        await self._reply_of(self.scripts.moveToFinished(job_id, *move))
        if await self._client.exists(fields):
            await self._client.hincrby(fields, "atm", -1)
        return "cancelled"


def _limiter(limit: int | None) -> dict[str, int] | None:
    return None if limit is None else {"max": limit, "duration": WINDOW_MS}
