"""How a job ends, in the words of the queue and in those its owner hears.

| the queue's event | the job's status | told to its owner as |
|---|---|---|
| completed | completed | completed |
| failed | failed | failed |
| failed, with our reason | cancelled | cancelled |
| removed, before its end | cancelled | removed |
"""

from __future__ import annotations

from careerlens.jobs.model import JobEventKind, JobStatus
from careerlens.wire.cancel import CANCELLED_REASON
from careerlens.wire.events import QueueEvent

_FINAL_STATES = frozenset({"completed", "failed"})
_LAST_EVENTS = _FINAL_STATES | {"removed"}
_LAST_KINDS = frozenset(
    {
        JobEventKind.COMPLETED,
        JobEventKind.FAILED,
        JobEventKind.CANCELLED,
        JobEventKind.REMOVED,
    }
)


def status_of_failure(reason: str | None) -> JobStatus:
    """BullMQ has no word for cancelled: it is a failure with our reason."""
    return JobStatus.CANCELLED if reason == CANCELLED_REASON else JobStatus.FAILED


def ends_job(event: QueueEvent) -> bool:
    """Whether the job leaves its owner's live jobs by this event."""
    return event.name in _LAST_EVENTS


def follows_end(event: QueueEvent) -> bool:
    """Whether the job had ended before this event: it is taken up again, or its traces go."""
    return event.fields.get("prev") in _FINAL_STATES


def is_last(kind: JobEventKind) -> bool:
    """Whether the owner hears nothing more of the job after this, unless it is taken up again."""
    return kind in _LAST_KINDS
