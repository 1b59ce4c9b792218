"""Brings jobs to the worker's slots.

    slot: take ──▶ a job ──▶ run ──▶ finish, which takes the next in the same step
           │ nothing                    │ nothing
           ▼                            ▼
         idle  ◀────────────────────────┘
           ▲
           └── woken by: the doorbell (BZPOPMIN on the queue's marker), a due delayed job,
               the end of a rate limit, or a neighbour who found work

What wakes an idle slot also sends its take, whose reply begins the job from within the
connection; the doorbell is only then listened to again, so that nothing comes before the handler.

A take is never repeated blindly: a lost reply may have brought a job, which `resolving` finds.
Each take has a token of its own. A slot keeps its token while finishing brings it the next job,
since BullMQ's script locks that one with the same token; after anything uncertain it is retired.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from typing import Any, TypeAlias
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


Begin: TypeAlias = Callable[[Taken], None]
"""Begins a job at once."""


class _News(Enum):
    """What an idle slot is woken with, unless a reply was lost."""

    LOOK = auto()
    """There may be work."""
    NOTHING = auto()
    """A take was sent for it, and brought nothing."""
    BEGUN = auto()
    """A take was sent for it, and its job has begun."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """A take was sent for an idle slot with `token`, and its reply is lost."""

    token: str


@dataclass(frozen=True, slots=True)
class _IdleSlot:
    begin: Begin
    woken: asyncio.Future[_News | _Lost]


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
        self._idle: deque[_IdleSlot] = deque()
        self._someone_idle = asyncio.Event()
        self._ready: tuple[str, WorkOptions] | None = None
        """Token and options of the next take, made while there is time."""
        self._missed_ring = False
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = 0.0
        self._limited_until = 0.0
        self.is_closing = False

    async def next(self, begin: Begin, *, after_finding_nothing: bool = False) -> bool:
        """Hand the next job to `begin`, waiting for one; False once closing.

        `after_finding_nothing` is for a slot whose finish has just looked.
        """
        news = await self._wait(begin) if after_finding_nothing else _News.LOOK
        while news is not _News.BEGUN:
            if isinstance(news, _Lost):
                taken = await self._look_after(news.token)
            elif self.is_closing:
                return False
            elif news is _News.LOOK:
                taken = await self._take()
            else:
                taken = None
            if taken is not None:
                begin(taken)
                break
            news = await self._wait(begin)
        # Not at once: the handler of this job goes first.
        asyncio.get_running_loop().call_soon(self._wake_neighbour)
        return True

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
        """The reply to a blocking command, once what it asked for is done."""
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def hear(reply: Any) -> None:
            def tell() -> None:
                if not told.done():
                    told.set_result(reply)

            if isinstance(reply, Exception):
                tell()
            else:
                self._heed(reply, tell)

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

    def _heed(self, popped: Any, then: Callable[[], None] | None = None) -> None:
        """Do what the marker says, and `then`."""
        due_s = float(popped[2]) / 1000 - time.time() if popped else 0.0
        if due_s <= 0 and not self.is_closing:
            self._ring(then)
            return
        if not self.is_closing:
            self._set_alarm(due_s)
        if then is not None:
            then()

    async def _take(self) -> Taken | None:
        token, asked_at, call = self._new_take()
        try:
            return self.accept(await self._link.run(*call), token, asked_at)
        except OutcomeUnknownError:
            return await self._look_after(token)
        except (ServiceUnavailableError, CommandRejectedError) as error:
            _log.warning("taking a job failed", problem=str(error))
            await _pause()
            self.look_again()
            return None

    async def _look_after(self, token: str) -> Taken | None:
        """The reply to a take was lost."""
        self.look_again()
        return await self.look_for(token)

    def _new_take(self) -> tuple[str, float, Call]:
        token, options = self._ready or self._prepared()
        self._ready = None
        return token, time.monotonic(), self._calls.take(epoch_ms(), options)

    def _prepared(self) -> tuple[str, WorkOptions]:
        token = f"{self._worker_id}:{next(self._numbers)}"
        return token, self.options_for(token)

    def _take_for_idle(self, then: Callable[[], None] | None) -> bool:
        """Send the take of a slot that is idle, and `then` once answered; False where none is."""
        slot = self._pop_idle()
        if slot is None:
            return False
        token, asked_at, call = self._new_take()

        def wake(reply: Any) -> None:
            if not slot.woken.done():
                self._wake_with(slot, reply, token, asked_at)
            if then is not None:
                then()

        if not self._link.post(evaluation(call), wake, key=self._calls.keys.base):
            slot.woken.set_result(_News.LOOK)
            if then is not None:
                then()
        return True

    def _wake_with(self, slot: _IdleSlot, reply: Any, token: str, asked_at: float) -> None:
        if isinstance(reply, Exception):
            is_lost = isinstance(reply, OutcomeUnknownError)
            slot.woken.set_result(_Lost(token) if is_lost else _News.LOOK)
            return
        try:
            taken = self.accept(reply, token, asked_at)
            if taken is not None:
                slot.begin(taken)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not break the connection)
            slot.woken.set_exception(error)
        else:
            slot.woken.set_result(_News.NOTHING if taken is None else _News.BEGUN)

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

    async def _wait(self, begin: Begin) -> _News | _Lost:
        """Be idle until woken."""
        if self.is_closing:
            return _News.LOOK
        if self._missed_ring:
            self._missed_ring = False
            return _News.LOOK
        self._ready = self._ready or self._prepared()
        slot = _IdleSlot(begin, asyncio.get_running_loop().create_future())
        self._idle.append(slot)
        self._someone_idle.set()
        try:
            return await slot.woken
        finally:
            if not slot.woken.done() or slot.woken.cancelled():
                self._idle = deque(other for other in self._idle if other is not slot)

    def _pop_idle(self) -> _IdleSlot | None:
        while self._idle:
            slot = self._idle.popleft()
            if not self._idle and not self.is_closing:
                self._someone_idle.clear()
            if not slot.woken.done():
                return slot
        return None

    def _wake_neighbour(self) -> None:
        if (slot := self._pop_idle()) is not None:
            slot.woken.set_result(_News.LOOK)

    def _ring(self, then: Callable[[], None] | None = None) -> None:
        """Take for a slot that is idle, and `then`; if all are busy, let the next look again."""
        if not self._take_for_idle(then):
            self._missed_ring = True
            if then is not None:
                then()

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
