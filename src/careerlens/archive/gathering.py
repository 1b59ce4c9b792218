"""From a group of queue events to the rows that say where the jobs stand.

An event only says which job to look at: the row is made from the job's hash and state, read at
one moment, which may be later than the event and is then the truth sooner. Only for a job whose
hash is gone already (its producer asked for that, or somebody removed it) does the event speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from careerlens.archive.records import ArchivedJob
from careerlens.foundation.foreignjson import parse_foreign
from careerlens.jobs.endings import ends_job, follows_end, status_of_failure
from careerlens.jobs.ids import parse_job_id
from careerlens.jobs.model import JobStatus
from careerlens.jobs.owner import owner_of
from careerlens.jobs.snapshot import snapshot
from careerlens.queue import JobRecord, QueueState
from careerlens.wire.events import QueueEvent

REMOVED_CODE = "removed"
REMOVED_REASON = "The job was removed from its queue before it ended."

ASKED_OF_NEW = (b"name", b"timestamp", b"opts")
_TELLING = frozenset(
    {"added", "waiting", "delayed", "active", "waiting-children", "completed", "failed", "removed"}
)
_IN_LINE = frozenset({"waiting", "delayed"})


class JobNews(NamedTuple):
    """What a group of events says about one job: how it ended last, and whether it was reopened.

    `is_new`: it was added, and nothing has happened to it since.
    """

    job_id: str
    ending: QueueEvent | None = None
    reopened: bool = False
    is_new: bool = False


def gather_news(events: Iterable[QueueEvent]) -> dict[str, JobNews]:
    """The jobs that `events` tell something about. Progress changes no row and is left out."""
    news: dict[str, JobNews] = {}
    for event in events:
        if event.job_id is None or event.name not in _TELLING:
            continue
        known = news.get(event.job_id)
        if known is None:
            known = JobNews(event.job_id, is_new=event.name == "added")
        elif known.is_new and event.name not in _IN_LINE:
            known = known._replace(is_new=False)
        if event.name == "removed" and follows_end(event):
            continue  # its outcome stands
        if ends_job(event):
            known = known._replace(ending=event)
        elif follows_end(event):
            known = known._replace(ending=None, reopened=True)
        news[event.job_id] = known
    return news


def row_from_queue(
    queue: str, record: JobRecord, state: QueueState, *, reopened: bool = False
) -> ArchivedJob:
    """The row of a job that the queue still has."""
    response = snapshot(record, state, queue=queue)
    return ArchivedJob.from_response(
        response,
        queue=queue,
        owner=_owner_of(record),
        finished_ms=record.finished_on_ms,
        reopens=reopened,
    )


def row_of_new(queue: str, job_id: str, fields: Sequence[bytes | None]) -> ArchivedJob | None:
    """The row of a job of ours that is new, from what `ASKED_OF_NEW` names; None when it is gone.

    The rest of its hash, which holds the whole résumé, says nothing that its row would.
    """
    ours = parse_job_id(job_id)
    assert ours is not None, "only for ids of ours, which name the owner"
    name, timestamp, opts = fields
    if name is None:
        return None
    return ArchivedJob(
        queue=queue,
        job_id=job_id,
        created_ms=_timestamp_ms(timestamp),
        owner=ours.user_id,
        type=queue,
        status=JobStatus.QUEUED,
        max_attempts=_max_attempts((opts or b"").replace(job_id.encode(), b"")),
    )


def _timestamp_ms(text: bytes | None) -> int:
    return JobRecord("", {} if text is None else {b"timestamp": text}).timestamp_ms


@lru_cache(maxsize=64)  # the options of the jobs of a type differ by the job's id alone
def _max_attempts(opts: bytes) -> int:
    return JobRecord("", {b"opts": opts}).max_attempts


def _owner_of(record: JobRecord) -> str | None:
    owner = owner_of(record.id, None)
    if owner is None and isinstance(record.data, Mapping):
        # Only here, since the data may be a whole résumé, which takes its time to be read.
        owner = owner_of(record.id, record.data)
    return owner


def row_from_events(queue: str, news: JobNews, known: ArchivedJob | None) -> ArchivedJob | None:
    """The row of a job that the queue has no more, from what was told of it.

    `known` is its row so far. None when there is nothing to add to it, or when neither it nor
    the job's id says whose job it was.
    """
    base = known or _from_id(queue, news.job_id)
    if base is None:
        return None
    if news.reopened:
        base = replace(
            base,
            status=JobStatus.QUEUED,
            finished_ms=None,
            attempts_made=0,
            error=None,
            error_code=None,
            result=None,
            reopens=True,
        )
    ending = news.ending
    if ending is None:
        return base if news.reopened else None
    was_removed = ending.name == "removed"
    if was_removed and base.status.is_final:
        return None
    status, error, error_code, result = _outcome(ending)
    return replace(
        base,
        status=status,
        finished_ms=ending.timestamp_ms,
        attempts_made=max(base.attempts_made, 0 if was_removed else 1),
        error=error,
        error_code=error_code,
        result=result,
    )


def _outcome(ending: QueueEvent) -> tuple[JobStatus, str | None, str | None, Any]:
    if ending.name == "completed":
        return JobStatus.COMPLETED, None, None, _parse(ending.fields.get("returnvalue"))
    if ending.name == "removed":
        return JobStatus.CANCELLED, REMOVED_REASON, REMOVED_CODE, None
    reason = ending.fields.get("failedReason") or "The job failed."
    status = status_of_failure(reason)
    return status, reason if status is JobStatus.FAILED else None, None, None


def _from_id(queue: str, job_id: str) -> ArchivedJob | None:
    ours = parse_job_id(job_id)
    if ours is None:
        return None
    return ArchivedJob(
        queue=queue,
        job_id=job_id,
        created_ms=ours.created_at_ms,
        owner=ours.user_id,
        type=ours.job_type,
        status=JobStatus.QUEUED,
    )


def _parse(text: str | None) -> Any:
    try:
        return None if text is None else parse_foreign(text)
    except (ValueError, RecursionError):
        return text
