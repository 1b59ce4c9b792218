"""The job as its handler sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from careerlens.queue.record import JobRecord
from careerlens.wire.calls import QueueCalls
from careerlens.wire.link import Call, Link
from careerlens.wire.packing import strict_json
from careerlens.worker.held import HeldJob, Interruption
from careerlens.worker.insisting import insist

_MAX_PROGRESS_BYTES = 64 * 1024


class ActiveJob:
    """A running job: what it is, and what its handler may tell about it."""

    __slots__ = ("_calls", "_held", "_link", "record")

    def __init__(self, held: HeldJob, link: Link, calls: QueueCalls) -> None:
        self.record: JobRecord = held.record
        self._held = held
        self._link = link
        self._calls = calls

    @property
    def token(self) -> str:
        """What the job's lock holds while it is ours."""
        return self._held.token

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1. A run that a crash cut short counts as none."""
        return self.record.attempts_made + 1

    @property
    def cancel_requested(self) -> bool:
        """Whether the owner has asked to cancel; the handler is being interrupted for it."""
        return self._held.interruption is Interruption.CANCELLED

    async def update_progress(self, value: Any) -> None:
        """Store progress and announce it. Waits while the server is away.

        Raises `TypeError` or `ValueError` when `value` is not strict JSON, or too large.
        """
        text = strict_json(value)
        if len(text) > _MAX_PROGRESS_BYTES:
            raise ValueError(f"progress may hold {_MAX_PROGRESS_BYTES} bytes, got {len(text)}")
        await self._tell(self._calls.progress(self.record.id, text))

    async def log(self, line: str) -> None:
        """Append a line to the job's log. Waits while the server is away."""
        await self._tell(self._calls.log(self.record.id, line))

    async def _tell(self, call: Call) -> None:
        if self._held.interruption is Interruption.LOST:
            return  # these scripts check no lock, and the new owner's word must stand
        answer = await insist(self._link, self._held, lambda _: call)
        if answer is not None and int(answer.reply) < 0:
            # The job was removed under us; its result would have nowhere to go.
            self._held.interrupt(Interruption.LOST)


Processor: TypeAlias = Callable[[ActiveJob], Awaitable[Any]]
