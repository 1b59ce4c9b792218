"""The jobs in this worker's hands, and what may interrupt them."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Any

from careerlens.queue.record import JobRecord


class Interruption(Enum):
    """Why a handler is stopped before its own end."""

    CANCELLED = auto()
    """The job's owner asked for it."""
    SHUTDOWN = auto()
    """The worker stops; somebody else shall run the job."""
    LOST = auto()
    """Another worker owns the job now; nothing may be written any more."""


class HeldJob:
    """One job between its take and its end.

    `token` proves that it is ours. Its lock was asked for at `asked_at`, and it is ours for
    certain until `lease_until`, which the lock keeper's thread moves on (monotonic seconds).
    """

    __slots__ = ("asked_at", "interruption", "lease_until", "record", "task", "token")

    def __init__(self, record: JobRecord, token: str, asked_at: float, lease_until: float) -> None:
        self.record = record
        self.token = token
        self.asked_at = asked_at
        self.lease_until = lease_until
        self.interruption: Interruption | None = None
        self.task: asyncio.Task[Any] | None = None

    def interrupt(self, why: Interruption) -> None:
        """Stop the handler, if it runs. Only the loss of the job overrides an earlier reason."""
        if self.interruption is Interruption.LOST:
            return
        if self.interruption is None or why is Interruption.LOST:
            self.interruption = why
            if self.task is not None:
                self.task.cancel()


class HeldJobs:
    """Every job that this worker holds, by id."""

    def __init__(self) -> None:
        self._jobs: dict[str, HeldJob] = {}

    def add(self, job: HeldJob) -> None:
        """Take a job in hand. Being given one that we still run means that we had lost it."""
        former = self._jobs.get(job.record.id)
        if former is not None:
            former.interrupt(Interruption.LOST)
        self._jobs[job.record.id] = job

    def discard(self, job: HeldJob) -> None:
        """Let go of a job."""
        if self._jobs.get(job.record.id) is job:
            del self._jobs[job.record.id]

    def get(self, job_id: str) -> HeldJob | None:
        """The job of that id, if we hold it."""
        return self._jobs.get(job_id)

    def all(self) -> list[HeldJob]:
        """Every job held at this moment; safe to call from the lock keeper's thread."""
        return list(self._jobs.copy().values())

    def __len__(self) -> int:
        return len(self._jobs)
