"""Finds jobs that were taken although the reply was lost.

The take's token is in the lock of the job it took. A server that was frozen may carry out a take
after we gave up on it, so a token that leads nowhere is looked for again until its lock would
have run out; a job found late is handed back rather than run.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.queue.record import JobRecord
from careerlens.wire.calls import QueueCalls
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link
from careerlens.worker.options import WorkerOptions

_LOOK_AGAIN_S = 1.0
_log = get_logger("careerlens.worker")


@dataclass(frozen=True, slots=True)
class Found:
    """A job whose lock holds the token, for `left_s` seconds more."""

    record: JobRecord
    left_s: float


class Resolving:
    """Looks through the active jobs for the locks of takes with an unknown outcome."""

    def __init__(self, link: Link, calls: QueueCalls, options: WorkerOptions) -> None:
        self._link = link
        self._calls = calls
        self._options = options
        self._suspects: dict[str, float] = {}
        self._has_suspects = asyncio.Event()

    async def find(self, token: str, *, besides: str | None = None) -> Found | None:
        """The job that `token` locks, other than `besides`; None when there is none yet."""
        deadline = time.monotonic() + self._options.lock_duration_s
        found = None
        while time.monotonic() < deadline:
            try:
                found = await self._look(token, besides)
                break
            except (ServiceUnavailableError, CommandRejectedError) as error:
                _log.warning("looking for a lost take failed", problem=str(error))
                await asyncio.sleep(_LOOK_AGAIN_S / 2)
        if found is None:
            self._suspects[token] = deadline
            self._has_suspects.set()
        return found

    async def watch(self) -> None:
        """Hand back jobs that unresolved takes turn out to have taken. Runs until cancelled."""
        while True:
            await self._has_suspects.wait()
            await asyncio.sleep(_LOOK_AGAIN_S)
            for token, deadline in list(self._suspects.items()):
                try:
                    is_settled = await self._hand_back(token)
                except (ServiceUnavailableError, CommandRejectedError) as error:
                    _log.warning("looking for a lost take failed", problem=str(error))
                    break
                if is_settled or time.monotonic() > deadline:
                    del self._suspects[token]
            if not self._suspects:
                self._has_suspects.clear()

    async def _hand_back(self, token: str) -> bool:
        found = await self._look(token, None)
        if found is None:
            return False
        await self._link.run(*self._calls.hand_back(found.record.id, token))
        await self._link.call("ZADD", self._calls.keys.marker, 0, "0")
        _log.warning("handed back a job whose take had lost its reply", job_id=found.record.id)
        return True

    async def _look(self, token: str, besides: str | None) -> Found | None:
        keys = self._calls.keys
        active = await self._link.call("LRANGE", keys.active, 0, -1)
        job_ids = [job_id.decode() for job_id in active]
        locks = await self._link.call_many([("GET", keys.lock(job_id)) for job_id in job_ids])
        for job_id, holder in zip(job_ids, locks, strict=True):
            if holder == token.encode() and job_id != besides:
                return await self._read(job_id)
        return None

    async def _read(self, job_id: str) -> Found:
        keys = self._calls.keys
        replies: list[Any] = await self._link.call_many(
            [("HGETALL", keys.job(job_id)), ("PTTL", keys.lock(job_id))]
        )
        return Found(JobRecord.from_fields(job_id, replies[0]), max(int(replies[1]), 0) / 1000)
