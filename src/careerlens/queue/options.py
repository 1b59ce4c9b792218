"""How a job is to be run: BullMQ's job options, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from careerlens.wire.keys import is_safe_job_id

MAX_PRIORITY = 2**21 - 1
# Beyond this the score of a delayed job (due time x 4096) is no longer exact.
MAX_DUE_MS = 2**53 // 4096

Retention: TypeAlias = bool | int | Mapping[str, int] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long to wait before another attempt.

    `exponential` doubles `delay_ms` with each attempt, `fixed` does not. `jitter` from 0 to 1
    is the share of the wait that is left to chance, so that jobs do not come back together.
    """

    type: Literal["exponential", "fixed"] = "exponential"
    delay_ms: int = 2_000
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.delay_ms < 0 or not 0.0 <= self.jitter <= 1.0:
            raise ValueError("a backoff needs delay_ms >= 0 and jitter from 0 to 1")

    def to_wire(self) -> dict[str, Any]:
        """As it stands in a job's options."""
        wire: dict[str, Any] = {"type": self.type, "delay": self.delay_ms}
        return wire | {"jitter": self.jitter} if self.jitter else wire


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOptions:
    """Options of one job; the defaults are BullMQ's.

    `job_id` is the caller's own id (None: a number from the queue's counter). `priority` 0 is
    the plain line, which is served before all prioritised jobs; otherwise 1 comes first.
    `remove_on_complete` and `remove_on_fail`: None keeps the job for ever, True removes it at
    once, a number keeps so many, a mapping keeps by `age` (seconds) and `count`.

    Raises `ValueError` for values that BullMQ's scripts cannot carry.
    """

    job_id: str | None = None
    attempts: int = 1
    backoff: Backoff | None = None
    delay_ms: int = 0
    priority: int = 0
    lifo: bool = False
    remove_on_complete: Retention = None
    remove_on_fail: Retention = None
    timestamp_ms: int | None = None

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")
        if not 0 <= self.priority <= MAX_PRIORITY:
            raise ValueError(f"priority must be from 0 to {MAX_PRIORITY}, got {self.priority}")
        if self.delay_ms < 0:
            raise ValueError(f"delay_ms must not be negative, got {self.delay_ms}")

    @property
    def is_constant(self) -> bool:
        """Whether they are the same for ever: mappings may be changed by whoever made them."""
        kept = self.remove_on_complete, self.remove_on_fail
        return not any(isinstance(retention, Mapping) for retention in kept)

    def check_at(self, now_ms: int, job_id: str | None = None) -> None:
        """Raise `ValueError` if a job added now would damage its queue or be due past 2039.

        `job_id` is its id where the options name none.
        """
        job_id = self.job_id if job_id is None else job_id
        if job_id is not None and not is_safe_job_id(job_id):
            raise ValueError(f"a job cannot have the id {job_id!r}: it would damage its queue")
        if (self.timestamp_ms or now_ms) + self.delay_ms > MAX_DUE_MS:
            raise ValueError(f"delay_ms={self.delay_ms} is too far in the future")

    def to_wire(self) -> dict[str, Any]:
        """The options as BullMQ stores them; what is at its default is left out."""
        wire: dict[str, Any] = {"attempts": self.attempts}
        if self.job_id is not None:
            wire["jobId"] = self.job_id
        if self.backoff is not None:
            wire["backoff"] = self.backoff.to_wire()
        if self.delay_ms:
            wire["delay"] = self.delay_ms
        if self.priority:
            wire["priority"] = self.priority
        if self.lifo:
            wire["lifo"] = self.lifo
        if self.remove_on_complete is not None:
            wire["removeOnComplete"] = _plain(self.remove_on_complete)
        if self.remove_on_fail is not None:
            wire["removeOnFail"] = _plain(self.remove_on_fail)
        return wire


PLAIN = JobOptions()
"""BullMQ's defaults."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """A job that is to be added, one of many or again and again."""

    name: str
    data: Mapping[str, Any]
    options: JobOptions = PLAIN


def _plain(retention: Retention) -> object:
    return dict(retention) if isinstance(retention, Mapping) else retention
