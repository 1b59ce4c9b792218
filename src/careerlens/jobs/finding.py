"""Finds a job by its id alone: in the queue that the id names, or in whichever queue has it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from careerlens.foundation.errors import UnauthorizedJobError
from careerlens.jobs.definitions import Registry
from careerlens.jobs.ids import parse_job_id
from careerlens.jobs.owner import owner_of
from careerlens.jobs.queues import used_queues
from careerlens.queue import JobRecord, PlaceInLine, Queue, QueueState
from careerlens.wire.keys import is_safe_job_id
from careerlens.wire.link import Link

_QUEUES_FRESH_S = 5.0


class FoundJob(NamedTuple):
    """A job, where it is and how it stands there."""

    queue: Queue
    record: JobRecord
    state: QueueState
    place: PlaceInLine | None


class JobFinder:
    """Knows the queues, and looks for jobs in them."""

    def __init__(self, link: Link, registry: Registry, *, prefix: str) -> None:
        self._link = link
        self._registry = registry
        self._prefix = prefix
        self._queues: dict[str, Queue] = {}
        self._used_queues: frozenset[str] = frozenset()
        self._used_queues_until = 0.0

    def queue(self, name: str) -> Queue:
        """The queue of this name, always the same object."""
        if name not in self._queues:
            self._queues[name] = Queue(name, self._link, prefix=self._prefix)
        return self._queues[name]

    async def known_queues(self) -> frozenset[str]:
        """The names of queues with a job type here, or used by anybody."""
        now = time.monotonic()
        if now >= self._used_queues_until:
            self._used_queues = await used_queues(self._link)
            self._used_queues_until = now + _QUEUES_FRESH_S
        return self._used_queues | frozenset(self._registry)

    async def locate(self, job_id: str, user_id: str) -> FoundJob | None:
        """The user's job in its queue; None when it is in none.

        Raises `UnauthorizedJobError` when it is somebody else's.
        """
        ours = parse_job_id(job_id)
        if ours is not None and ours.user_id != user_id:
            raise UnauthorizedJobError(job_id)
        if ours is not None:
            queues: Iterable[str] = (ours.job_type,)
        elif _may_be_foreign(job_id):
            queues = await self.known_queues()
        else:
            return None
        for name in queues:
            queue = self.queue(name)
            record, state, place = (await queue.standings([job_id]))[0]
            # Producers of another make count per queue: the same number may be anybody's.
            is_job = record is not None and record.name is not None
            if record is not None and is_job and owner_of(job_id, record.data) == user_id:
                return FoundJob(queue, record, state, place)
        return None


def _may_be_foreign(job_id: str) -> bool:
    """Whether a producer of another make can have given this id; then it is safe to look for."""
    is_counter = job_id.isascii() and job_id.isdecimal() and len(job_id) <= 16
    return is_counter or is_safe_job_id(job_id)
