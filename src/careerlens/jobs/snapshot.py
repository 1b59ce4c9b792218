"""The one mapping from what a queue knows about a job to what its owner sees."""

from __future__ import annotations

from careerlens.jobs.endings import status_of_failure
from careerlens.jobs.model import JobStatus, JobStatusResponse, QueuePlace
from careerlens.jobs.progress import read_progress
from careerlens.queue import JobRecord, QueueState

_REACHED = {QueueState.ACTIVE: JobStatus.PROCESSING, QueueState.COMPLETED: JobStatus.COMPLETED}


def status_of(record: JobRecord, state: QueueState) -> JobStatus:
    """Where the job stands. Whatever it waits for, it is queued."""
    if state is QueueState.FAILED:
        return status_of_failure(record.failed_reason)
    return _REACHED.get(state, JobStatus.QUEUED)


def snapshot(
    record: JobRecord,
    state: QueueState,
    *,
    queue: str,
    delayed_until: int | None = None,
    place: QueuePlace | None = None,
) -> JobStatusResponse:
    """Everything its owner may see of a job, and nothing else that the record holds.

    `queue` is the job's type. `delayed_until` (epoch milliseconds) is known only to the queue's
    set of delayed jobs; without it, a first delay is told from the record.
    """
    status = status_of(record, state)
    is_delayed = state is QueueState.DELAYED
    if is_delayed and delayed_until is None and record.attempts_made == 0:
        delayed_until = record.timestamp_ms + record.delay_ms
    # Each time is told by another machine's clock, and a call that brings a job carries the
    # moment it was sent: to people, nothing ends before it began.
    started_at = _at_least(record.timestamp_ms, record.processed_on_ms)
    completed_at = _at_least(started_at or record.timestamp_ms, record.finished_on_ms)
    return JobStatusResponse(
        job_id=record.id,
        type=queue,
        status=status,
        progress=read_progress(record.progress),
        result=record.returnvalue if status is JobStatus.COMPLETED else None,
        error=record.failed_reason if status is JobStatus.FAILED else None,
        error_code=record.error_code if status is JobStatus.FAILED else None,
        created_at=record.timestamp_ms,
        started_at=started_at,
        completed_at=completed_at if status.is_final else None,
        attempts_made=record.attempts_made,
        max_attempts=record.max_attempts,
        cancel_requested=record.cancel_requested_at_ms is not None,
        delayed_until=delayed_until if is_delayed else None,
        retrying=status is JobStatus.QUEUED and record.attempts_made > 0,
        queue=place if record.attempts_made == 0 else None,
    )


def _at_least(earliest_ms: int, moment_ms: int | None) -> int | None:
    return None if moment_ms is None else max(moment_ms, earliest_ms)
