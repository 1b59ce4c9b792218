"""The job as its handler sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from careerlens.foundation.foreignjson import parse_foreign
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

    async def insist(self, call: Call) -> Any | None:
        """Send a call that is harmless to repeat until it is answered; the reply.

        None, and nothing sent from then on, when the job is not ours any more.
        """
        if self._held.interruption is Interruption.LOST:
            return None
        answer = await insist(self._link, self._held, lambda _: call)
        return answer.reply if answer is not None else None

    async def children_values(self) -> dict[str, Any]:
        """What the jobs that this one waited for returned, by their keys (`bull:queue:id`).

        Raises `ServiceUnavailableError` when the server cannot be reached.
        """
        values = await self._hash(self._calls.keys.processed(self.record.id))
        return {key: parse_foreign(value) for key, value in values.items()}

    async def children_failures(self) -> dict[str, str]:
        """Why those failed whose failure let this one run all the same, by their keys.

        Raises `ServiceUnavailableError` when the server cannot be reached.
        """
        return await self._hash(self._calls.keys.ignored_failures(self.record.id))

    async def _hash(self, key: str) -> dict[str, str]:
        flat = await self._link.call("HGETALL", key)
        texts = [part.decode(errors="replace") for part in flat]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    async def _tell(self, call: Call) -> None:
        if self._held.interruption is Interruption.LOST:
            return  # these scripts check no lock, and the new owner's word must stand
        answer = await insist(self._link, self._held, lambda _: call)
        if answer is not None and int(answer.reply) < 0:
            # The job was removed under us; its result would have nowhere to go.
            self._held.interrupt(Interruption.LOST)


Processor: TypeAlias = Callable[[ActiveJob], Awaitable[Any]]
