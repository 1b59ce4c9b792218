"""The times that an owner sees are in order, whatever the clocks that told them."""

from __future__ import annotations

from careerlens.jobs.snapshot import snapshot
from careerlens.queue import JobRecord, QueueState


def test_a_job_never_begins_before_it_was_made_or_ends_before_it_began() -> None:
    told = {
        b"name": b"report",
        b"timestamp": b"1000",
        b"processedOn": b"998",
        b"finishedOn": b"999",
    }
    seen = snapshot(JobRecord("x", told), QueueState.COMPLETED, queue="report")
    assert (seen.created_at, seen.started_at, seen.completed_at) == (1000, 1000, 1000)


def test_a_job_that_waits_has_neither_begun_nor_ended() -> None:
    told = {b"name": b"report", b"timestamp": b"1000"}
    seen = snapshot(JobRecord("x", told), QueueState.WAITING, queue="report")
    assert (seen.created_at, seen.started_at, seen.completed_at) == (1000, None, None)
