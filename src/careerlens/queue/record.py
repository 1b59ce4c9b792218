"""What a queue knows about one job, read from its hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from careerlens.foundation.foreignjson import parse_foreign
from careerlens.wire.cancel import CANCEL_MARK, ERROR_CODE


class QueueState(StrEnum):
    """The set or list of the queue that a job is in. Jobs of a paused queue are `waiting`."""

    WAITING = "waiting"
    PRIORITIZED = "prioritized"
    DELAYED = "delayed"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    WAITING_CHILDREN = "waiting-children"
    PAUSED = "paused"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in {QueueState.COMPLETED, QueueState.FAILED}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRecord:
    """One job as stored. Times are epoch milliseconds.

    `name` is None when the hash lacks it: the job's data is gone and only traces are left.
    `returnvalue` and `failed_reason` may both stand from different attempts: the state decides
    which one counts. `data` is the producer's JSON, usually an object. `raw` has every field.
    """

    id: str
    name: str | None
    data: Any
    opts: dict[str, Any]
    timestamp_ms: int
    processed_on_ms: int | None
    finished_on_ms: int | None
    attempts_made: int
    attempts_started: int
    progress: Any | None
    returnvalue: Any | None
    failed_reason: str | None
    error_code: str | None
    cancel_requested_at_ms: int | None
    delay_ms: int
    priority: int
    stalled_count: int
    stacktrace: list[str]
    deferred_failure: str | None
    parent_key: str | None
    scheduler_id: str | None
    raw: dict[str, str]

    @property
    def max_attempts(self) -> int:
        """How many attempts the job may have; at least 1."""
        return max(_integer(str(self.opts.get("attempts", 1))) or 1, 1)

    @classmethod
    def from_fields(cls, job_id: str, flat: Sequence[bytes]) -> JobRecord:
        """Read the flat field list of HGETALL. Text that is not UTF-8 is read with marks."""
        texts = [part.decode(errors="replace") for part in flat]
        return cls.from_hash(job_id, dict(zip(texts[::2], texts[1::2], strict=True)))

    @classmethod
    def from_hash(cls, job_id: str, raw: dict[str, str]) -> JobRecord:
        """Read a decoded hash. Fields that do not parse count as absent."""
        opts = _json(raw.get("opts"))
        stacktrace = _json(raw.get("stacktrace"))
        return cls(
            id=job_id,
            name=raw.get("name"),
            data=_json(raw.get("data")),
            opts=opts if isinstance(opts, dict) else {},
            timestamp_ms=_integer(raw.get("timestamp")) or 0,
            processed_on_ms=_integer(raw.get("processedOn")),
            finished_on_ms=_integer(raw.get("finishedOn")),
            attempts_made=_integer(raw.get("atm") or raw.get("attemptsMade")) or 0,
            attempts_started=_integer(raw.get("ats")) or 0,
            progress=_json(raw.get("progress")),
            returnvalue=_json(raw.get("returnvalue"), otherwise=raw.get("returnvalue")),
            failed_reason=_plain_text(raw.get("failedReason")),
            error_code=raw.get(ERROR_CODE) or None,
            cancel_requested_at_ms=_integer(raw.get(CANCEL_MARK)) or None,
            delay_ms=_integer(raw.get("delay")) or 0,
            priority=_integer(raw.get("priority")) or 0,
            stalled_count=_integer(raw.get("stc")) or 0,
            stacktrace=[str(line) for line in stacktrace] if isinstance(stacktrace, list) else [],
            deferred_failure=raw.get("defa"),
            parent_key=raw.get("parentKey"),
            scheduler_id=raw.get("rjk"),
            raw=raw,
        )


def _json(text: str | None, *, otherwise: Any = None) -> Any:
    if text is None:
        return None
    try:
        return parse_foreign(text)
    except (ValueError, RecursionError):
        return otherwise


def _plain_text(text: str | None) -> str | None:
    """A failure reason: plain text, or the JSON string that bullmq-python 3.0.4 wrote."""
    if text is not None and len(text) > 1 and text.startswith('"') and text.endswith('"'):
        parsed = _json(text)
        return parsed if isinstance(parsed, str) else text
    return text


def _integer(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass  # Lua writes large numbers as 1.7e+12
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None
