"""Creates, reads, lists and cancels jobs, and asks of each call whose job it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import (
    FieldProblem,
    InvalidInputError,
    JobNotFoundError,
    OutcomeUnknownError,
    UnauthorizedJobError,
)
from careerlens.jobs.definitions import JobDefinition, Registry
from careerlens.jobs.ids import JobId, new_job_id, parse_job_id
from careerlens.jobs.keys import live_key, live_member, split_live_member
from careerlens.jobs.model import CancelResponse, JobCreatedResponse, JobStatusResponse
from careerlens.jobs.owner import owner_of
from careerlens.jobs.queues import note_used, used_queues
from careerlens.jobs.snapshot import snapshot
from careerlens.jobs.validation import ENVELOPE_FIELDS, validate_input
from careerlens.queue import Backoff, CancelOutcome, JobOptions, JobRecord, Queue, QueueState
from careerlens.wire.keys import is_safe_job_id
from careerlens.wire.link import Link

CANCEL_WAIT_S = 2.0
KEPT_FINISHED = {"age": 86_400, "count": 10_000}
PRIORITY = 1
_TRIES = 3
_LIVE_INDEX_SECONDS = 30 * 86_400
_UNSEEN_GRACE_MS = 60_000
_QUEUES_FRESH_S = 5.0
_POLL_FIRST_S, _POLL_LONGEST_S = 0.02, 0.2
_LIST_PAGE = 100

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
        self._prefix = prefix
        self._find_past_job = find_past_job
        self._queues: dict[str, Queue] = {}
        self._opened: set[str] = set()
        self._used_queues: frozenset[str] = frozenset()
        self._used_queues_until = 0.0

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
        payload = model.model_dump(mode="json", by_alias=True) | {
            "type": job_type,
            "userId": user_id,
            "createdAt": job_id.created_at_ms,
        }
        queue = await self._open_queue(job_type)
        options = _options(definition, job_id)
        indexed, added = await asyncio.gather(
            _repeat(lambda: self._remember(user_id, job_type, job_id)),
            _repeat(lambda: queue.add(job_type, payload, options)),
            return_exceptions=True,
        )
        if isinstance(added, BaseException):
            raise added
        if isinstance(indexed, BaseException):
            # The job is in line: whoever repeats this must not believe that nothing happened.
            raise OutcomeUnknownError("redis", "the job's place in its owner's list was lost")
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
        found = await self._locate(job_id, user_id)
        if found is not None:
            queue, record, state = found
            return await self._snapshot(queue, record, state)
        past = None
        if self._find_past_job is not None:
            past = await self._find_past_job(job_id, user_id)
        if past is None:
            raise JobNotFoundError(job_id)
        return past

    async def list_active_jobs(self, user_id: str, limit: int = 100) -> list[JobStatusResponse]:
        """The user's jobs that have not ended, newest first. The cost is theirs alone."""
        active: list[JobStatusResponse] = []
        offset = 0
        while len(active) < limit:
            entries = await self._link.call(
                "ZREVRANGE", live_key(user_id), offset, offset + _LIST_PAGE - 1, "WITHSCORES"
            )
            page = [
                (*split_live_member(member.decode()), int(float(score)))
                for member, score in zip(entries[::2], entries[1::2], strict=True)
            ]
            statuses, gone = await self._read_page(user_id, page)
            active += statuses
            if gone:
                await self._link.call("ZREM", live_key(user_id), *gone)
            if len(page) < _LIST_PAGE:
                break
            offset += _LIST_PAGE - len(gone)
        return active[:limit]

    # Ending

    async def cancel_job(
        self, job_id: str, user_id: str, *, wait_s: float = CANCEL_WAIT_S
    ) -> CancelResponse:
        """End the user's job, wherever it is; of a running one, await the end up to `wait_s`.

        Raises as `get_job_status`.
        """
        found = await self._locate(job_id, user_id)
        if found is None:
            status = await self.get_job_status(job_id, user_id)
            return CancelResponse(job_id=job_id, status=status.status, outcome="already_final")
        queue = found[0]
        outcome = await _repeat(lambda: queue.cancel(job_id))
        if outcome is CancelOutcome.NOT_FOUND:
            raise JobNotFoundError(job_id)
        if outcome is CancelOutcome.REQUESTED:
            await self._await_end(queue, job_id, wait_s)
        status = await self.get_job_status(job_id, user_id)
        if not status.status.is_final:
            return CancelResponse(job_id=job_id, status=status.status, outcome="cancelling")
        await self._link.call("ZREM", live_key(user_id), live_member(queue.name, job_id))
        was_cancelled = status.status == "cancelled" and outcome is not CancelOutcome.ALREADY_FINAL
        return CancelResponse(
            job_id=job_id,
            status=status.status,
            outcome="cancelled" if was_cancelled else "already_final",
        )

    async def clean_up(self, *, older_than_s: float = 86_400) -> int:
        """Remove jobs that ended longer ago from every known queue; returns how many."""
        removed = 0
        for name in await self._known_queues():
            for state in (QueueState.COMPLETED, QueueState.FAILED):
                ids = await self._queue(name).clean(state, older_than_ms=int(older_than_s * 1000))
                removed += len(ids)
        return removed

    # Finding a job by its id

    async def _locate(
        self, job_id: str, user_id: str
    ) -> tuple[Queue, JobRecord, QueueState] | None:
        """The job in its queue; None when it is in none.

        Raises `UnauthorizedJobError` when it is somebody else's.
        """
        ours = parse_job_id(job_id)
        if ours is not None and ours.user_id != user_id:
            raise UnauthorizedJobError(job_id)
        if ours is not None:
            queues: Iterable[str] = (ours.job_type,)
        elif _may_be_foreign(job_id):
            queues = await self._known_queues()
        else:
            return None
        for name in queues:
            queue = self._queue(name)
            record, state = await queue.job_and_state(job_id)
            # Producers of another make count per queue: the same number may be anybody's.
            is_job = record is not None and record.name is not None
            if record is not None and is_job and owner_of(job_id, record.data) == user_id:
                return queue, record, state
        return None

    async def _known_queues(self) -> frozenset[str]:
        now = time.monotonic()
        if now >= self._used_queues_until:
            self._used_queues = await used_queues(self._link)
            self._used_queues_until = now + _QUEUES_FRESH_S
        return self._used_queues | frozenset(self._registry)

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            self._queues[name] = Queue(name, self._link, prefix=self._prefix)
        return self._queues[name]

    async def _open_queue(self, name: str) -> Queue:
        queue = self._queue(name)
        if name not in self._opened:
            await queue.open()
            await note_used(self._link, name)
            self._opened.add(name)
        return queue

    async def _remember(self, user_id: str, job_type: str, job_id: JobId) -> None:
        """Enter the job in its owner's index, before it is in line, so that it is never missed."""
        key = live_key(user_id)
        member = live_member(job_type, str(job_id))
        await self._link.call_many(
            [("ZADD", key, job_id.created_at_ms, member), ("EXPIRE", key, _LIVE_INDEX_SECONDS)]
        )

    async def _read_page(
        self, user_id: str, page: list[tuple[str, str, int]]
    ) -> tuple[list[JobStatusResponse], list[str]]:
        """The statuses of live jobs on a page of the index, and members that are so no more."""
        by_queue: dict[str, list[str]] = {}
        for queue, job_id, _ in page:
            by_queue.setdefault(queue, []).append(job_id)
        found: dict[tuple[str, str], tuple[JobRecord | None, QueueState]] = {}
        for queue, job_ids in by_queue.items():
            read = await self._queue(queue).jobs_and_states(job_ids)
            found.update({(queue, id_): each for id_, each in zip(job_ids, read, strict=True)})
        statuses: list[JobStatusResponse] = []
        gone: list[str] = []
        grace_ends = epoch_ms() - _UNSEEN_GRACE_MS
        for queue, job_id, entered_ms in page:
            record, state = found[queue, job_id]
            if record is None or record.name is None:
                # It may be on its way into the queue.
                if entered_ms < grace_ends:
                    gone.append(live_member(queue, job_id))
            elif state.is_final or owner_of(job_id, record.data) != user_id:
                gone.append(live_member(queue, job_id))
            else:
                statuses.append(await self._snapshot(self._queue(queue), record, state))
        return statuses, gone

    async def _snapshot(
        self, queue: Queue, record: JobRecord, state: QueueState
    ) -> JobStatusResponse:
        delayed_until = None
        if state is QueueState.DELAYED:
            score = await self._link.call("ZSCORE", queue.keys.delayed, record.id)
            delayed_until = int(float(score)) // 4096 if score is not None else None
        return snapshot(record, state, queue=queue.name, delayed_until=delayed_until)

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
    path = f"/api/jobs/{quote(str(job_id), safe=':')}"
    return JobCreatedResponse(
        job_id=str(job_id),
        type=job_id.job_type,
        created_at=job_id.created_at_ms,
        status_url=f"{path}/status",
        events_url=f"{path}/events",
    )


def _options(definition: JobDefinition, job_id: JobId) -> JobOptions:
    return JobOptions(
        job_id=str(job_id),
        attempts=definition.attempts,
        backoff=Backoff(delay_ms=int(definition.backoff_s * 1000), jitter=definition.jitter),
        priority=PRIORITY,
        remove_on_complete=KEPT_FINISHED,
        remove_on_fail=KEPT_FINISHED,
        timestamp_ms=job_id.created_at_ms,
    )


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


def _may_be_foreign(job_id: str) -> bool:
    """Whether a producer of another make can have given this id; then it is safe to look for."""
    is_counter = job_id.isascii() and job_id.isdecimal() and len(job_id) <= 16
    return is_counter or is_safe_job_id(job_id)


async def _repeat(action: Callable[[], Awaitable[T]]) -> T:
    """Do what is safe to do twice, again when the outcome was lost."""
    for _ in range(_TRIES - 1):
        try:
            return await action()
        except OutcomeUnknownError:
            continue
    return await action()
