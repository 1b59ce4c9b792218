"""What an event of a queue means to the owner of its job.

| event of the queue | told to the owner |
|---|---|
| waiting | queued; retrying when an attempt has failed before |
| waiting-children | queued |
| delayed | delayed, or retrying, with the time it waits for |
| active | processing |
| progress | progress, whoever wrote it and in whatever form |
| completed | completed (the result is asked for, not carried) |
| failed | failed, or cancelled by its reason |
| removed | removed |

`added` is always followed by one of the first three; `stalled` follows the `waiting` that tells
the same; `duplicated`, `deduplicated`, `retries-exhausted`, `drained`, `paused`, `resumed` and
`cleaned` say nothing about a job that was not said already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from careerlens.foundation.foreignjson import parse_foreign
from careerlens.jobs.endings import follows_end, status_of_failure
from careerlens.jobs.model import JobEventKind, JobProgress, JobStatus, JobUpdate
from careerlens.jobs.progress import read_progress
from careerlens.realtime.entries import encode_update
from careerlens.wire.events import QueueEvent

MAX_ERROR_LENGTH = 2_000
MAX_PROGRESS_LENGTH = 16_384
_NOT_YET = ""
_BARE = frozenset({"active", "completed"})
_IN_JSON = re.compile(r"[A-Za-z0-9 !#-\[\]-~]+")  # what stands for itself there
_NO_ID = "\ue000"  # nothing that can be printed, as what can name a queue
_REMOVED_AS = {"completed": JobStatus.COMPLETED, "failed": JobStatus.FAILED}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFacts:
    """What the job's hash adds to an event. Zero and None when it is gone, or was not read."""

    attempts_made: int = 0
    error_code: str | None = None


NOTHING_KNOWN = JobFacts()


def needs_facts(event: QueueEvent) -> bool:
    """Whether the event alone does not say all that its owner is told."""
    return event.name in {"delayed", "failed"} or (
        event.name == "waiting" and event.fields.get("prev") == "active"
    )


def starts_job(event: QueueEvent) -> bool:
    """Whether the job joins the owner's live jobs: new, or taken up again after its end."""
    return event.name == "added" or (event.name == "waiting" and follows_end(event))


def describe(event: QueueEvent, queue: str, facts: JobFacts = NOTHING_KNOWN) -> JobUpdate | None:
    """The feed entry that the event becomes, its id still empty; None when it becomes none."""
    telling = _TELLINGS.get(event.name)
    told = telling(event.fields, facts) if telling else None
    if told is None or event.job_id is None:
        return None
    return JobUpdate(
        id=_NOT_YET,
        job_id=event.job_id,
        type=queue,
        timestamp=int(event.id.partition("-")[0]),
        **told,
    )


def describe_encoded(event: QueueEvent, queue: str, facts: JobFacts = NOTHING_KNOWN) -> str | None:
    """What `encode_update` makes of `describe`.

    Most events tell nothing but their name, the job and the time; those are put into a text that
    was encoded once.
    """
    job_id = event.job_id
    is_bare = event.name in _BARE or (event.name == "waiting" and not needs_facts(event))
    if is_bare and job_id is not None and _IN_JSON.fullmatch(job_id):
        before, between = _pattern(event.name, queue)
        return f"{before}{job_id}{between}{event.timestamp_ms}}}"
    update = describe(event, queue, facts)
    return None if update is None else encode_update(update)


@lru_cache(maxsize=1_024)
def _pattern(name: str, queue: str) -> tuple[str, str]:
    """The update that bare events of this name make, before the job's id and before the time."""
    update = describe(QueueEvent("0-0", name, _NO_ID, {}), queue)
    assert update is not None, "bare events all tell something"
    before, between = encode_update(update).split(_NO_ID)
    assert between.endswith(":0}"), "the time stands at the end"
    return before, between.removesuffix("0}")


def _waiting(fields: Mapping[str, str], facts: JobFacts) -> dict[str, Any]:
    # After a stall or a hand-back the hash counts no attempt; after a failed attempt it does.
    again = fields.get("prev") == "active" and facts.attempts_made > 0
    return {
        "event": JobEventKind.RETRYING if again else JobEventKind.QUEUED,
        "status": JobStatus.QUEUED,
        "attempts_made": facts.attempts_made if again else None,
    }


def _delayed(fields: Mapping[str, str], facts: JobFacts) -> dict[str, Any]:
    again = facts.attempts_made > 0
    return {
        "event": JobEventKind.RETRYING if again else JobEventKind.DELAYED,
        "status": JobStatus.QUEUED,
        "attempts_made": facts.attempts_made if again else None,
        "delayed_until": _milliseconds(fields.get("delay")),
    }


def _active(_fields: Mapping[str, str], _facts: JobFacts) -> dict[str, Any]:
    return {"event": JobEventKind.PROCESSING, "status": JobStatus.PROCESSING}


def _progress(fields: Mapping[str, str], _facts: JobFacts) -> dict[str, Any] | None:
    progress = _read_progress_text(fields.get("data", ""))
    if progress is None:
        return None
    return {
        "event": JobEventKind.PROGRESS,
        "status": JobStatus.PROCESSING,
        "progress": progress,
    }


def _completed(_fields: Mapping[str, str], _facts: JobFacts) -> dict[str, Any]:
    return {"event": JobEventKind.COMPLETED, "status": JobStatus.COMPLETED}


def _failed(fields: Mapping[str, str], facts: JobFacts) -> dict[str, Any]:
    reason = fields.get("failedReason", "")
    if status_of_failure(reason) is JobStatus.CANCELLED:
        return {"event": JobEventKind.CANCELLED, "status": JobStatus.CANCELLED}
    return {
        "event": JobEventKind.FAILED,
        "status": JobStatus.FAILED,
        "error": reason[:MAX_ERROR_LENGTH],
        "error_code": facts.error_code,
        "attempts_made": facts.attempts_made or None,
    }


def _removed(fields: Mapping[str, str], _facts: JobFacts) -> dict[str, Any]:
    # A job removed before its end will never have another: to its owner, it was called off.
    status = _REMOVED_AS.get(fields.get("prev", ""), JobStatus.CANCELLED)
    return {"event": JobEventKind.REMOVED, "status": status}


_TELLINGS: dict[str, Callable[[Mapping[str, str], JobFacts], dict[str, Any] | None]] = {
    "waiting": _waiting,
    "waiting-children": _waiting,
    "delayed": _delayed,
    "active": _active,
    "progress": _progress,
    "completed": _completed,
    "failed": _failed,
    "removed": _removed,
}


def _read_progress_text(text: str) -> JobProgress | None:
    if len(text) > MAX_PROGRESS_LENGTH:
        return None
    try:
        raw = parse_foreign(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    progress = read_progress(raw)
    if progress is None and isinstance(raw, dict):
        return JobProgress(percent=0, data=raw)
    return progress


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _milliseconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
