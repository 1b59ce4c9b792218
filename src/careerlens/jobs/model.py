"""What people see of a job: plain data, camelCase on the wire.

queued ──▶ processing ──▶ completed
  ▲ │          │ │ └────▶ failed
  │ │          │ └──────▶ cancelled
  │ └──────────┼────────▶ cancelled
  └────────────┘  (another attempt, or the worker died)
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """Base of everything that crosses a wire: camelCase there, snake_case here, nothing extra."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class JobStatus(StrEnum):
    """Where a job stands. The last three are final."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job will never change again."""
        return self in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}


class JobProgress(WireModel):
    """How far a job is: `percent` from 0 to 100, a sentence, and optionally the step's name."""

    percent: Annotated[float, Field(ge=0, le=100)]
    message: str = ""
    step: str | None = None
    data: dict[str, Any] | None = None


class QueuePlace(WireModel):
    """Where a queued job stands in line: `position` from 1, and how long it may still wait.

    The estimate is None while nothing is known to make one from.
    """

    position: Annotated[int, Field(ge=1)]
    estimated_wait_ms: Annotated[int, Field(ge=0)] | None = None


class JobStatusResponse(WireModel):
    """The whole truth about one job, for its owner. Times are epoch milliseconds.

    `error` is a sentence for people, `error_code` the same for programs. `delayed_until` is set
    while a queued job waits for its time, `retrying` while it waits for another attempt, `queue`
    while it waits in line for its first.
    """

    job_id: str
    type: str
    status: JobStatus
    progress: JobProgress | None = None
    result: Any | None = None
    error: str | None = None
    error_code: str | None = None
    created_at: int
    started_at: int | None = None
    completed_at: int | None = None
    attempts_made: int = 0
    max_attempts: int = 1
    cancel_requested: bool = False
    delayed_until: int | None = None
    retrying: bool = False
    queue: QueuePlace | None = None


class JobCreatedResponse(WireModel):
    """The answer to a creation: `status_url` is where to ask, `events_url` where to listen."""

    job_id: str
    type: str
    status: JobStatus = JobStatus.QUEUED
    created_at: int
    status_url: str
    events_url: str


class CancelResponse(WireModel):
    """What cancelling led to. `outcome` tells what the request did, `status` where the job stands.

    `cancelled`: it is over now. `cancelling`: the worker was told and its end will be announced.
    `already_final`: it had ended before, as `status` says.
    """

    job_id: str
    status: JobStatus
    outcome: Literal["cancelled", "cancelling", "already_final"]


class JobEventKind(StrEnum):
    """What happened to a job, as told to its owner."""

    QUEUED = "queued"
    DELAYED = "delayed"
    PROCESSING = "processing"
    PROGRESS = "progress"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"


class JobUpdate(WireModel):
    """One entry of a user's feed: the payload of `job:update` and of the event stream over HTTP.

    `id` orders a user's entries and is where a client resumes. Results are not repeated here:
    on `completed`, ask for the job's status. `timestamp` is epoch milliseconds.
    """

    id: str
    job_id: str
    type: str
    event: JobEventKind
    status: JobStatus
    progress: JobProgress | None = None
    error: str | None = None
    error_code: str | None = None
    attempts_made: int | None = None
    delayed_until: int | None = None
    timestamp: int
