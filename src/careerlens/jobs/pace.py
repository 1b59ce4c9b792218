"""How fast a queue's line moves, and from that how long a place in it may take.

Known are the run times of the jobs that ended last, which the queue keeps anyway, and how many
jobs its workers run at a time, which they tell with their heartbeats. Both are read only when
somebody asks for a waiting job, and then not again for some seconds.

    careerlens:workers:{q}   sorted set of `slots/start interval/process` by time last heard of
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from careerlens.foundation.clock import epoch_ms
from careerlens.jobs.keys import WORKERS_KEY, queue_workers_key
from careerlens.queue import PlaceInLine, Queue
from careerlens.wire.connection import Arg
from careerlens.wire.link import Link

HEARTBEAT_LIFE_S = 20.0
RUNS_LOOKED_AT = 50
FRESH_S = 5.0
_QUANTILE = 0.75
_KEPT_SECONDS = 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """One worker process on one queue: how many jobs it runs at a time, and how soon another.

    `start_interval_ms` is what the limit of starts leaves between two of them, 0 without a limit.
    It holds for all workers of the queue together.
    """

    queue: str
    process: str
    slots: int
    start_interval_ms: float = 0.0

    def telling(self, now_ms: int) -> list[tuple[Arg, ...]]:
        """The commands that say that it is there now, and forget who was not for long."""
        key = queue_workers_key(self.queue)
        return [
            ("ZADD", key, now_ms, self._member()),
            ("ZREMRANGEBYSCORE", key, 0, now_ms - _KEPT_SECONDS * 1000),
            ("EXPIRE", key, _KEPT_SECONDS),
        ]

    def leaving(self) -> tuple[Arg, ...]:
        """The command that says that it is there no more."""
        return ("ZREM", queue_workers_key(self.queue), self._member())

    @classmethod
    def read(cls, queue: str, member: str) -> Self:
        """From a member of the sorted set. Raises `ValueError` for what is none."""
        slots, interval, process = member.split("/", 2)
        return cls(
            queue=queue, process=process, slots=int(slots), start_interval_ms=float(interval)
        )

    def _member(self) -> str:
        return f"{self.slots}/{self.start_interval_ms:.3f}/{self.process}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What is known of a queue's speed. `run_ms` is what a run takes, None before the first.

    `slots` are the jobs that all its workers run at a time, `start_interval_ms` as of `Presence`.
    """

    run_ms: int | None
    slots: int
    start_interval_ms: float = 0.0
    is_paused: bool = False

    @classmethod
    def of(cls, runs_ms: Sequence[int], workers: Iterable[Presence], *, is_paused: bool) -> Self:
        """From the latest run times and the workers that live."""
        present = list(workers)
        return cls(
            run_ms=usual(runs_ms),
            slots=sum(worker.slots for worker in present),
            start_interval_ms=max((worker.start_interval_ms for worker in present), default=0.0),
            is_paused=is_paused,
        )

    def wait_ms(self, place: PlaceInLine) -> int | None:
        """How long a job at this place may wait; None when nothing tells.

        It starts once so many others have ended that a slot is left for it. While all slots are
        busy, one ends in every `run_ms / slots`. Of runs that take equally long, no more than
        one run is missed by.
        """
        if self.run_ms is None or self.slots == 0 or self.is_paused:
            return None
        to_end = max(0, place.position + place.running - self.slots)
        by_slots = to_end * self.run_ms / self.slots
        return round(max(by_slots, place.position * self.start_interval_ms))


class Paces:
    """The paces of queues, each read at most once in `FRESH_S` seconds."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: dict[str, tuple[float, Pace]] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def of(self, queue: Queue) -> Pace:
        """The pace of a queue. Raises `ServiceUnavailableError` when it cannot be read."""
        async with self._reading.setdefault(queue.name, asyncio.Lock()):
            read_at, pace = self._known.get(queue.name, (-math.inf, None))
            if pace is None or time.monotonic() - read_at > FRESH_S:
                pace = await self._read(queue)
                self._known[queue.name] = (time.monotonic(), pace)
            return pace

    async def _read(self, queue: Queue) -> Pace:
        workers, runs_ms, is_paused = await asyncio.gather(
            live_presences(self._link, queue.name),
            queue.run_times_ms(RUNS_LOOKED_AT),
            queue.is_paused(),
        )
        return Pace.of(runs_ms, workers, is_paused=is_paused)


async def live_presences(link: Link, queue: str) -> list[Presence]:
    """The workers of a queue that have been heard of lately. Raises as `Link.call`."""
    since_ms = epoch_ms() - int(HEARTBEAT_LIFE_S * 1000)
    members = await link.call("ZRANGEBYSCORE", queue_workers_key(queue), since_ms, "+inf")
    return [Presence.read(queue, member.decode()) for member in members]


async def live_workers(link: Link) -> int:
    """How many worker processes have been heard of lately."""
    since_ms = epoch_ms() - int(HEARTBEAT_LIFE_S * 1000)
    return int(await link.call("ZCOUNT", WORKERS_KEY, since_ms, "+inf"))


def usual(runs_ms: Sequence[int]) -> int | None:
    """What a run takes: three out of four took no longer. None without any.

    Not the median: a line moves at the pace of the mean, which long runs pull above it, and who
    waits is rather surprised by an early start. Not the mean: one run gone astray would spoil it.
    """
    if not runs_ms:
        return None
    return sorted(runs_ms)[math.ceil(len(runs_ms) * _QUANTILE) - 1]
