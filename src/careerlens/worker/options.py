"""How a worker behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limiter:
    """At most `max_jobs` taken in `duration_ms`, by all workers of the queue together."""

    max_jobs: int
    duration_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerOptions:
    """Settings of one worker; times in milliseconds are those that BullMQ's scripts take.

    A job whose worker died moves on after at most `lock_duration_ms` plus two
    `stalled_interval_ms`; with these defaults 25 seconds. After `max_stalled_count` such
    rescues it fails. `drain_delay_s` is how long an idle worker waits before it looks by itself,
    should a wake-up have been lost. `shutdown_s` is what `stop` grants running jobs.

    Raises `ValueError` when the settings contradict each other.
    """

    concurrency: int = 5
    lock_duration_ms: int = 15_000
    lock_renew_ms: int = 5_000
    stalled_interval_ms: int = 5_000
    max_stalled_count: int = 3
    drain_delay_s: float = 5.0
    limiter: Limiter | None = None
    shutdown_s: float = 20.0
    name: str | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {self.concurrency}")
        if self.lock_renew_ms * 2 > self.lock_duration_ms:
            raise ValueError(
                "lock_renew_ms must be at most half of lock_duration_ms, so that one renewal "
                f"may fail: got {self.lock_renew_ms} and {self.lock_duration_ms}"
            )
        if min(self.lock_renew_ms, self.stalled_interval_ms, self.drain_delay_s) <= 0:
            raise ValueError("lock_renew_ms, stalled_interval_ms and drain_delay_s must be > 0")

    @property
    def lock_duration_s(self) -> float:
        """`lock_duration_ms` in seconds."""
        return self.lock_duration_ms / 1000

    @property
    def limit(self) -> tuple[int, int] | None:
        """The limiter as the wire layer takes it."""
        return (self.limiter.max_jobs, self.limiter.duration_ms) if self.limiter else None
