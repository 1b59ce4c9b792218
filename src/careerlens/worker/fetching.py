"""Brings jobs to the worker's slots.

    slot: take ──▶ a job ──▶ run ──▶ finish, which takes the next in the same step
           │ nothing                    │ nothing
           ▼                            ▼
         idle  ◀────────────────────────┘
           ▲
           └── woken by: the doorbell (BZPOPMIN on the queue's marker), a due delayed job,
               the end of a rate limit, or a neighbour who found work

What wakes an idle slot also sends its take, so that it wakes with the job in hand.

A take is never repeated blindly: a lost reply may have brought a job, which `resolving` finds.
Each take has a token of its own. A slot keeps its token while finishing brings it the next job,
since BullMQ's script locks that one with the same token; after anything uncertain it is retired.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import hiredis

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import OutcomeUnknownError, ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.queue.record import JobRecord
from careerlens.wire.calls import QueueCalls, WorkOptions, fetch_options
from careerlens.wire.connection import Arg, encode
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Call, Link, evaluation
from careerlens.worker.options import WorkerOptions
from careerlens.worker.resolving import Resolving
from careerlens.worker.stats import WorkerStats

_PAUSE_S = 1.0
_UNBLOCK_EVERY_S = 0.05
_log = get_logger("careerlens.worker")


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that was taken with `token`; its lock was asked for at `asked_at` (monotonic)."""

    record: JobRecord
    token: str
    asked_at: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a take that was sent for an idle slot."""

    token: str
    asked_at: float
    reply: Any


class Fetching:
    """Takes jobs for slots, and lets slots wait where there are none."""

    def __init__(
        self,
        link: Link,
        doorbell: Link,
        calls: QueueCalls,
        options: WorkerOptions,
        resolving: Resolving,
        stats: WorkerStats,
    ) -> None:
        self._link = link
        self._doorbell = doorbell
        self._calls = calls
        self._options = options
        self._resolving = resolving
        self._stats = stats
        self._worker_id = uuid4().hex
        self._numbers = count(1)
        self._idle: deque[asyncio.Future[_Answer | None]] = deque()
        self._someone_idle = asyncio.Event()
        self._ready: tuple[str, WorkOptions] | None = None
        """Token and options of the next take, made while there is time."""
        self._missed_ring = False
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = 0.0
        self._limited_until = 0.0
        self.is_closing = False

    async def next(self, *, after_finding_nothing: bool = False) -> Taken | None:
        """The next job, waiting for one; None once closing.

        `after_finding_nothing` is for a slot whose finish has just looked.
        """
        answer = await self._wait() if after_finding_nothing else None
        while answer is not None or not self.is_closing:
            taken = await self._take(answer)
            if taken is not None:
                # Not at once: the handler of this job goes first.
                asyncio.get_running_loop().call_soon(self._wake_neighbour)
                return taken
            answer = await self._wait()
        return None

    def options_for(self, token: str) -> WorkOptions:
        """With what `token` takes a job."""
        return fetch_options(
            token, self._options.lock_duration_ms, self._options.limit, self._options.name
        )

    def accept(self, reply: Any, token: str, asked_at: float) -> Taken | None:
        """Read what a take, or a finish that takes, has brought."""
        if not isinstance(reply, list) or len(reply) < 2:
            return None
        parts: list[Any] = [*reply, 0, 0]
        flat, job_id, *times = parts
        if isinstance(flat, list):
            self._stats.taken += 1
            return Taken(JobRecord.from_fields(job_id.decode(), flat), token, asked_at)
        limited_ms, due_ms = int(times[0] or 0), float(times[1] or 0)
        if limited_ms > 0:
            self._limited_until = time.monotonic() + limited_ms / 1000
            self._set_alarm(limited_ms / 1000)
        elif due_ms > 0:
            self._set_alarm(due_ms / 1000 - time.time())
        return None

    def look_again(self) -> None:
        """Let a slot look, at once or before it waits: nobody knows whether there is work now."""
        self._ring()

    def close(self) -> None:
        """Take no more: idle slots are let go. A take under way still brings its job."""
        self.is_closing = True
        self._someone_idle.set()
        if self._alarm is not None:
            self._alarm.cancel()
        while self._idle:
            self._wake_neighbour()

    async def watch(self) -> None:
        """Wake idle slots when the queue's marker says that there is work. Runs until closed."""
        while not self.is_closing:
            await self._someone_idle.wait()
            limited_s = self._limited_until - time.monotonic()
            if self.is_closing:
                return
            if limited_s > 0:
                await asyncio.sleep(min(limited_s, _PAUSE_S))
                continue
            try:
                await self._answer_the_door()
            except OutcomeUnknownError:
                self._ring()  # the cut may have swallowed the marker
            except (ServiceUnavailableError, CommandRejectedError) as error:
                _log.warning("waiting for jobs was interrupted", problem=str(error))
                await _pause()

    async def stop_watching(self, watch: asyncio.Task[None]) -> None:
        """End `watch` once closed, waking it on the server so that no marker is lost with it."""
        deadline = time.monotonic() + _PAUSE_S
        while not watch.done() and time.monotonic() < deadline:
            try:
                async with asyncio.timeout(_PAUSE_S):
                    await self._link.unblock(self._doorbell)
            except (ServiceUnavailableError, CommandRejectedError, TimeoutError) as error:
                # A marker may be lost now; every worker also looks by itself each few seconds.
                _log.info("the wait for jobs could not be ended in order", problem=str(error))
                break
            # It may have been about to block: then it is woken the next time round.
            await asyncio.wait([watch], timeout=_UNBLOCK_EVERY_S)
        watch.cancel()

    async def _answer_the_door(self) -> None:
        marker = self._calls.keys.marker
        popped = await self._hear_the_bell("BZPOPMIN", marker, self._options.drain_delay_s)
        if self.is_closing and popped is not None:
            await self._link.call("ZADD", marker, popped[2], popped[1])

    async def _hear_the_bell(self, *command: Arg) -> Any:
        """The reply to a blocking command, heeded before anything else has its turn."""
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def hear(reply: Any) -> None:
            if not isinstance(reply, Exception):
                self._heed(reply)
            if not told.done():
                told.set_result(reply)

        if self._doorbell.post(encode(command), hear, key=self._calls.keys.marker):
            reply = await told
            if isinstance(reply, OutcomeUnknownError):
                raise reply
            if not isinstance(reply, hiredis.ReplyError):
                return reply
        # No connection just now, or another node has the bell: `call` waits, and follows it.
        reply = await self._doorbell.call(*command)
        self._heed(reply)
        return reply

    def _heed(self, popped: Any) -> None:
        if self.is_closing:
            return
        due_s = float(popped[2]) / 1000 - time.time() if popped else 0.0
        if due_s > 0:
            self._set_alarm(due_s)
        else:
            self._ring()

    async def _take(self, answer: _Answer | None) -> Taken | None:
        """Take a job, or what was taken already: `answer`, unless the server refused that."""
        try:
            if answer is None or isinstance(answer.reply, hiredis.ReplyError):
                token, asked_at, call = self._new_take()
                return self.accept(await self._link.run(*call), token, asked_at)
            token = answer.token
            if isinstance(answer.reply, OutcomeUnknownError):
                raise answer.reply
            return self.accept(answer.reply, token, answer.asked_at)
        except OutcomeUnknownError:
            self.look_again()
            return await self.look_for(token)
        except (ServiceUnavailableError, CommandRejectedError) as error:
            _log.warning("taking a job failed", problem=str(error))
            await _pause()
            self.look_again()
            return None

    def _new_take(self) -> tuple[str, float, Call]:
        token, options = self._ready or self._prepared()
        self._ready = None
        return token, time.monotonic(), self._calls.take(epoch_ms(), options)

    def _prepared(self) -> tuple[str, WorkOptions]:
        token = f"{self._worker_id}:{next(self._numbers)}"
        return token, self.options_for(token)

    def _take_for_idle(self) -> bool:
        """Send the take of a slot that is idle; False where none is."""
        slot = self._pop_idle()
        if slot is None:
            return False
        token, asked_at, call = self._new_take()

        def wake(reply: Any) -> None:
            if not slot.done():
                slot.set_result(_Answer(token, asked_at, reply))

        if not self._link.post(evaluation(call), wake, key=self._calls.keys.base):
            slot.set_result(None)
        return True

    async def look_for(self, token: str, *, besides: str | None = None) -> Taken | None:
        """Find the job that a call with a lost reply took with `token`."""
        asked_at = time.monotonic()
        found = await self._resolving.find(token, besides=besides)
        if found is None:
            return None
        self._stats.resolved += 1
        self._stats.taken += 1
        # Its lock was set some time ago: what is left of it is what the resolver waited for.
        return Taken(found.record, token, asked_at - self._options.lock_duration_s + found.left_s)

    async def _wait(self) -> _Answer | None:
        """Be idle until woken, perhaps with the answer to a take."""
        if self.is_closing:
            return None
        if self._missed_ring:
            self._missed_ring = False
            return None
        self._ready = self._ready or self._prepared()
        woken: asyncio.Future[_Answer | None] = asyncio.get_running_loop().create_future()
        self._idle.append(woken)
        self._someone_idle.set()
        try:
            return await woken
        finally:
            if not woken.done() or woken.cancelled():
                self._idle = deque(other for other in self._idle if other is not woken)

    def _pop_idle(self) -> asyncio.Future[_Answer | None] | None:
        while self._idle:
            slot = self._idle.popleft()
            if not self._idle and not self.is_closing:
                self._someone_idle.clear()
            if not slot.done():
                return slot
        return None

    def _wake_neighbour(self) -> None:
        if (slot := self._pop_idle()) is not None:
            slot.set_result(None)

    def _ring(self) -> None:
        """Take for a slot that is idle; if all are busy with a take, let the next look again."""
        if not self._take_for_idle():
            self._missed_ring = True

    def _set_alarm(self, in_s: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        when = now + max(in_s, 0.0)
        if self._alarm is not None and not self._alarm.cancelled():
            # Kept by us: what uvloop returns for "now" does not know its time.
            if now < self._alarm_at <= when:
                return
            self._alarm.cancel()
        if not self.is_closing:
            self._alarm, self._alarm_at = loop.call_at(when, self._ring), when


async def _pause() -> None:
    await asyncio.sleep(random.uniform(_PAUSE_S / 2, _PAUSE_S))  # noqa: S311 (jitter only)
