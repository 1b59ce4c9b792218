"""Creates, reads, lists and cancels jobs, and asks of each call whose job it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel

from careerlens.foundation.errors import (
    FieldProblem,
    InvalidInputError,
    JobNotFoundError,
    OutcomeUnknownError,
)
from careerlens.jobs.definitions import JobDefinition, Registry
from careerlens.jobs.finding import FoundJob, JobFinder
from careerlens.jobs.ids import JobId, new_job_id
from careerlens.jobs.liveindex import LiveIndex
from careerlens.jobs.model import (
    CancelResponse,
    JobCreatedResponse,
    JobStatusResponse,
    QueuePlace,
)
from careerlens.jobs.pace import Paces
from careerlens.jobs.queues import note_used
from careerlens.jobs.snapshot import snapshot
from careerlens.jobs.validation import ENVELOPE_FIELDS, validate_input
from careerlens.queue import Backoff, CancelOutcome, JobKind, JobOptions, Queue, QueueState
from careerlens.wire.link import Link
from careerlens.wire.packing import strict_json

CANCEL_WAIT_S = 2.0
KEPT_FINISHED = {"age": 86_400, "count": 10_000}
PRIORITY = 1
_TRIES = 3
_PLAIN = frozenset({str, int, bool})
_POLL_FIRST_S, _POLL_LONGEST_S = 0.02, 0.2

T = TypeVar("T")

FindPastJob = Callable[[str, str], Awaitable[JobStatusResponse | None]]
"""Finds a user's job that may have left Redis, by its id and the user."""


class JobManager:
    """What may be done with jobs, by their owners.

    Every method raises `ServiceUnavailableError` when Redis cannot be reached.
    """

    def __init__(
        self,
        link: Link,
        registry: Registry,
        *,
        prefix: str = "bull",
        find_past_job: FindPastJob | None = None,
    ) -> None:
        self._link = link
        self._registry = registry
        self._finder = JobFinder(link, registry, prefix=prefix)
        self._live = LiveIndex(link, self._finder)
        self._paces = Paces(link)
        self._find_past_job = find_past_job
        self._opened: dict[str, tuple[Queue, JobKind]] = {}

    # Creating

    async def create_job(
        self,
        job_type: str,
        data: Mapping[str, Any] | BaseModel,
        user_id: str,
        *,
        job_id: JobId | None = None,
    ) -> JobCreatedResponse:
        """Put a job of this type in line for `user_id`.

        `data` is the type's own model, or its fields by their names on the wire; then `type`,
        `userId` and `createdAt` may stand there too and must agree. `job_id` makes repeating
        safe: under the same one, only one job ever comes to be.

        Raises `InvalidInputError` when the type is unknown or the data wrong.
        """
        definition = self.definition(job_type)
        model = data if isinstance(data, BaseModel) else _validate(definition, data, user_id)
        job_id = job_id or new_job_id(user_id, job_type)
        created_ms = job_id.created_at_ms
        payload = model.model_dump(mode="json", by_alias=True)
        payload |= {"type": job_type, "userId": user_id, "createdAt": created_ms}
        written = _as_json(payload)
        queue, kind = self._opened.get(job_type) or await self._open(definition)
        entering = self._live.entering(user_id, job_type, job_id)
        await _repeat(lambda: queue.add_of(kind, str(job_id), written, created_ms, ahead=entering))
        return created_response(job_id)

    def definition(self, job_type: str) -> JobDefinition:
        """The definition of a job type.

        Raises `InvalidInputError` that lists the known types.
        """
        definition = self._registry.get(job_type)
        if definition is None:
            known = ", ".join(sorted(self._registry)) or "none is installed"
            message = f"unknown job type; known: {known}"
            raise InvalidInputError(
                [FieldProblem(field="type", message=message, code="unknown_type")]
            )
        return definition

    # Reading

    async def get_job_status(self, job_id: str, user_id: str) -> JobStatusResponse:
        """Where the user's job stands.

        Raises `JobNotFoundError`, and its kind `UnauthorizedJobError` for somebody else's job.
        """
        found = await self._finder.locate(job_id, user_id)
        if found is not None:
            return await self._snapshot(found)
        past = None
        if self._find_past_job is not None:
            past = await self._find_past_job(job_id, user_id)
        if past is None:
            raise JobNotFoundError(job_id)
        return past

    async def list_active_jobs(self, user_id: str, limit: int = 100) -> list[JobStatusResponse]:
        """The user's jobs that have not ended, newest first. The cost is theirs alone."""
        return [await self._snapshot(found) for found in await self._live.jobs(user_id, limit)]

    # Ending

    async def cancel_job(
        self, job_id: str, user_id: str, *, wait_s: float = CANCEL_WAIT_S
    ) -> CancelResponse:
        """End the user's job, wherever it is; of a running one, await the end up to `wait_s`.

        Raises as `get_job_status`.
        """
        found = await self._finder.locate(job_id, user_id)
        if found is None:
            status = await self.get_job_status(job_id, user_id)
            return CancelResponse(job_id=job_id, status=status.status, outcome="already_final")
        queue = found.queue
        outcome = await _repeat(lambda: queue.cancel(job_id))
        if outcome is CancelOutcome.NOT_FOUND:
            raise JobNotFoundError(job_id)
        if outcome is CancelOutcome.REQUESTED:
            await self._await_end(queue, job_id, wait_s)
        status = await self.get_job_status(job_id, user_id)
        if not status.status.is_final:
            return CancelResponse(job_id=job_id, status=status.status, outcome="cancelling")
        await self._live.leave(user_id, queue.name, job_id)
        was_cancelled = status.status == "cancelled" and outcome is not CancelOutcome.ALREADY_FINAL
        return CancelResponse(
            job_id=job_id,
            status=status.status,
            outcome="cancelled" if was_cancelled else "already_final",
        )

    async def clean_up(self, *, older_than_s: float = 86_400) -> int:
        """Remove jobs that ended longer ago from every known queue; returns how many."""
        removed = 0
        for name in await self._finder.known_queues():
            for state in (QueueState.COMPLETED, QueueState.FAILED):
                ids = await self._finder.queue(name).clean(
                    state, older_than_ms=int(older_than_s * 1000)
                )
                removed += len(ids)
        return removed

    # Steps

    async def _open(self, definition: JobDefinition) -> tuple[Queue, JobKind]:
        queue = self._finder.queue(definition.type)
        await queue.open()
        await note_used(self._link, queue.name)
        opened = queue, queue.kind(definition.type, _options(definition))
        self._opened[definition.type] = opened
        return opened

    async def _snapshot(self, found: FoundJob) -> JobStatusResponse:
        queue, record, state, in_line = found
        delayed_until = None
        if state is QueueState.DELAYED:
            score = await self._link.call("ZSCORE", queue.keys.delayed, record.id)
            delayed_until = int(float(score)) // 4096 if score is not None else None
        place = None
        if in_line is not None:
            pace = await self._paces.of(queue)
            place = QueuePlace(position=in_line.position, estimated_wait_ms=pace.wait_ms(in_line))
        return snapshot(record, state, queue=queue.name, delayed_until=delayed_until, place=place)

    async def _await_end(self, queue: Queue, job_id: str, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        pause_s = _POLL_FIRST_S
        while (remaining := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(pause_s, remaining))
            if (await queue.state(job_id)).is_final:
                return
            pause_s = min(pause_s * 1.5, _POLL_LONGEST_S)


def created_response(job_id: JobId) -> JobCreatedResponse:
    """What the creator of a job is told."""
    text = str(job_id)
    path = f"/api/jobs/{text.replace('%', '%25')}"
    return JobCreatedResponse(
        job_id=text,
        type=job_id.job_type,
        created_at=job_id.created_at_ms,
        status_url=f"{path}/status",
        events_url=f"{path}/events",
    )


def _options(definition: JobDefinition) -> JobOptions:
    return JobOptions(
        attempts=definition.attempts,
        backoff=Backoff(delay_ms=int(definition.backoff_s * 1000), jitter=definition.jitter),
        priority=PRIORITY,
        remove_on_complete=KEPT_FINISHED,
        remove_on_fail=KEPT_FINISHED,
    )


def _as_json(payload: Mapping[str, Any]) -> str | bytes:
    """The same text as `strict_json`; where all is plain and ASCII, in a tenth of the time."""
    for value in payload.values():
        if value is not None and type(value) not in _PLAIN:
            return strict_json(payload)
    try:
        written = orjson.dumps(payload)
    except TypeError:
        return strict_json(payload)
    return written if written.isascii() and b"\x7f" not in written else strict_json(payload)


def _validate(definition: JobDefinition, data: Mapping[str, Any], user_id: str) -> BaseModel:
    problems = [
        FieldProblem(field=name, message=f"must be {expected!r} or left out", code="contradiction")
        for name, expected in (("type", definition.type), ("userId", user_id))
        if data.get(name, expected) != expected
    ]
    if problems:
        raise InvalidInputError(problems)
    return validate_input(
        definition, {name: value for name, value in data.items() if name not in ENVELOPE_FIELDS}
    )


async def _repeat(action: Callable[[], Awaitable[T]]) -> T:
    """Do what is safe to do twice, again when the outcome was lost."""
    for _ in range(_TRIES - 1):
        try:
            return await action()
        except OutcomeUnknownError:
            continue
    return await action()
