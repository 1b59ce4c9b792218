"""What the archive keeps of a job, as plain data."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from careerlens.foundation.errors import FieldProblem, InvalidInputError
from careerlens.jobs.model import JobProgress, JobStatus, JobStatusResponse

MAX_JOB_ID_BYTES = 2000
"""Longer ids cannot be indexed by every database; only a foreign producer could make one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedJob:
    """One job as the archive knows it. Times are epoch milliseconds.

    `queue`, `job_id` and `created_ms` together name the job: producers in other languages number
    their jobs per queue and start again at 1 on an empty server, so an id alone can return as
    somebody else's job. `owner` is None for a foreign job that names no user.

    `reopens` says that a final job was deliberately put back into its queue before this row;
    only then may a row replace the outcome that stands.
    """

    queue: str
    job_id: str
    created_ms: int
    owner: str | None
    type: str
    status: JobStatus
    started_ms: int | None = None
    finished_ms: int | None = None
    attempts_made: int = 0
    max_attempts: int = 1
    error: str | None = None
    error_code: str | None = None
    progress: JobProgress | None = None
    result: Any | None = None
    reopens: bool = False

    @classmethod
    def from_response(
        cls,
        response: JobStatusResponse,
        *,
        queue: str,
        owner: str | None,
        finished_ms: int | None = None,
        reopens: bool = False,
    ) -> ArchivedJob:
        """What `response` says, to be kept. `finished_ms` stands in where it lacks its end."""
        return cls(
            queue=queue,
            job_id=response.job_id,
            created_ms=response.created_at,
            owner=owner,
            type=response.type,
            status=response.status,
            started_ms=response.started_at,
            finished_ms=(response.completed_at or finished_ms)
            if response.status.is_final
            else None,
            attempts_made=response.attempts_made,
            max_attempts=response.max_attempts,
            error=response.error if response.status.is_final else None,
            error_code=response.error_code if response.status.is_final else None,
            progress=response.progress,
            result=response.result,
            reopens=reopens,
        )

    def to_response(self) -> JobStatusResponse:
        """The answer that the job's owner gets."""
        return JobStatusResponse(
            job_id=self.job_id,
            type=self.type,
            status=self.status,
            progress=self.progress,
            result=self.result,
            error=self.error,
            error_code=self.error_code,
            created_at=self.created_ms,
            started_at=self.started_ms,
            completed_at=self.finished_ms,
            attempts_made=self.attempts_made,
            max_attempts=self.max_attempts,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryPage:
    """Some of a user's jobs, newest first; `next_cursor` leads to the next page, if any."""

    items: Sequence[ArchivedJob]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class HistoryCursor:
    """Where a page of history ended: the place of its last job in the order."""

    created_ms: int
    queue: str
    job_id: str

    @classmethod
    def after(cls, job: ArchivedJob) -> HistoryCursor:
        """The cursor that continues behind `job`."""
        return cls(job.created_ms, job.queue, job.job_id)

    @classmethod
    def parse(cls, text: str) -> HistoryCursor:
        """Read what `str()` made. Raises `InvalidInputError` for anything else."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            created_ms, queue, job_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        except (UnicodeError, binascii.Error, ValueError, TypeError, RecursionError):
            raise _bad_cursor() from None
        if type(created_ms) is not int or not isinstance(queue, str) or not isinstance(job_id, str):
            raise _bad_cursor()
        if not 0 <= created_ms < 2**63 or "\x00" in queue + job_id:
            raise _bad_cursor()
        return cls(created_ms, queue, job_id)

    def __str__(self) -> str:
        place = [self.created_ms, self.queue, self.job_id]
        content = json.dumps(place, separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _bad_cursor() -> InvalidInputError:
    return InvalidInputError(
        [
            FieldProblem(
                field="cursor",
                message="Pass a `nextCursor` from an earlier page as it was given, or none.",
                code="invalid_cursor",
            )
        ]
    )
