"""A job as it stands in a row: what a database cannot hold is bent to what it can."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from careerlens.archive.records import MAX_JOB_ID_BYTES, ArchivedJob
from careerlens.archive.tables import late_outcomes
from careerlens.jobs.model import JobProgress, JobStatus

_MAX_INTEGER = 2**31 - 1
_MAX_BIG_INTEGER = 2**63 - 1


def is_storable(job: ArchivedJob) -> bool:
    """Whether every database can hold what names the job, exactly as it is."""
    return len(job.job_id.encode("utf-8", "replace")) <= MAX_JOB_ID_BYTES and (
        _storable_text(job.job_id) == job.job_id
        and _storable_text(job.queue) == job.queue
        and _storable_text(job.owner) == job.owner
    )


def values(job: ArchivedJob) -> dict[str, Any]:
    """The job's row."""
    return {
        "queue": job.queue,
        "job_id": job.job_id,
        "created_ms": _bounded_ms(job.created_ms),
        "owner": job.owner,
        "type": _storable_text(job.type),
        "status": job.status.value,
        "started_ms": _bounded_ms(job.started_ms),
        "finished_ms": _bounded_ms(job.finished_ms),
        "attempts_made": min(job.attempts_made, _MAX_INTEGER),
        "max_attempts": min(job.max_attempts, _MAX_INTEGER),
        "error": _storable_text(job.error),
        "error_code": _storable_text(job.error_code),
        "progress": None if job.progress is None else _to_json(job.progress.model_dump()),
        "result": None if job.result is None else _to_json(job.result),
    }


def late_values(job: ArchivedJob) -> dict[str, Any]:
    """The job's row among the late outcomes."""
    row = values(job)
    return {name: row[name] for name in late_outcomes.columns.keys()}  # noqa: SIM118


def _bounded_ms(value: int | None) -> int | None:
    return None if value is None else max(-_MAX_BIG_INTEGER, min(value, _MAX_BIG_INTEGER))


def _storable_text(value: str | None) -> str | None:
    # PostgreSQL knows neither NUL nor half of a surrogate pair; a foreign worker may send both.
    if value is None or (value.isascii() and "\x00" not in value):
        return value
    return value.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _to_json(value: Any) -> str:
    # Escaped to ASCII, which every database takes as it is.
    return json.dumps(value, separators=(",", ":"))


def to_job(row: Row[Any]) -> ArchivedJob:
    """The job of a row."""
    return ArchivedJob(
        queue=row.queue,
        job_id=row.job_id,
        created_ms=row.created_ms,
        owner=row.owner,
        type=row.type,
        status=JobStatus(row.status),
        started_ms=row.started_ms,
        finished_ms=row.finished_ms,
        attempts_made=row.attempts_made,
        max_attempts=row.max_attempts,
        error=row.error,
        error_code=row.error_code,
        progress=None if row.progress is None else JobProgress(**json.loads(row.progress)),
        result=None if row.result is None else json.loads(row.result),
    )


@lru_cache(maxsize=1_024)
def owner_hash(owner: str) -> str:
    """What is kept of a user who was erased, to know them by."""
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()
