"""Settings of a worker that contradict each other are refused when they are made."""

from __future__ import annotations

import pytest

from careerlens.worker import Limiter, WorkerOptions


def test_the_shipped_settings_rescue_a_job_within_25_seconds() -> None:
    options = WorkerOptions()
    assert options.lock_duration_ms + 2 * options.stalled_interval_ms <= 25_000
    assert options.lock_renew_ms * 3 <= options.lock_duration_ms


def test_one_renewal_must_be_allowed_to_fail() -> None:
    with pytest.raises(ValueError, match="lock_renew_ms"):
        WorkerOptions(lock_duration_ms=1_000, lock_renew_ms=600)


@pytest.mark.parametrize("field", ["lock_renew_ms", "stalled_interval_ms", "drain_delay_s"])
def test_times_must_be_positive(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        WorkerOptions(**{field: 0})  # type: ignore[arg-type]


def test_a_worker_needs_a_slot() -> None:
    with pytest.raises(ValueError, match="concurrency"):
        WorkerOptions(concurrency=0)


def test_the_limiter_is_told_in_the_scripts_order() -> None:
    assert WorkerOptions(limiter=Limiter(max_jobs=3, duration_ms=1_000)).limit == (3, 1_000)
    assert WorkerOptions().limit is None
