"""What a queue knows about one job, read from its hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from careerlens.foundation.foreignjson import parse_foreign
from careerlens.wire.cancel import CANCEL_MARK, ERROR_CODE

_CANCEL_MARK = CANCEL_MARK.encode()


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


class PlaceInLine(NamedTuple):
    """Where a job waits: its position from 1, and how many jobs ran at that moment."""

    position: int
    running: int


class JobRecord:
    """One job as stored. Times are epoch milliseconds.

    Its fields are read when they are asked for, and what does not parse counts as absent; text
    that is not UTF-8 is read with marks. `opts_text` is the options' JSON as it came.
    """

    def __init__(self, job_id: str, fields: Mapping[bytes, bytes]) -> None:
        self.id = job_id
        self._fields = fields

    @classmethod
    def from_fields(cls, job_id: str, flat: Sequence[bytes]) -> JobRecord:
        """Read the flat field list of HGETALL."""
        return cls(job_id, dict(zip(flat[::2], flat[1::2], strict=True)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JobRecord):
            return NotImplemented
        return self.id == other.id and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"JobRecord({self.id!r}, {self.raw!r})"

    @property
    def raw(self) -> dict[str, str]:
        """Every field of the hash."""
        return {_decoded(key): _decoded(value) for key, value in self._fields.items()}

    @property
    def name(self) -> str | None:
        """None when the hash lacks it: the job's data is gone and only traces are left."""
        return self._text(b"name")

    @cached_property
    def data(self) -> Any:
        """The producer's JSON, usually an object."""
        return _json(self._text(b"data"))

    @property
    def opts_text(self) -> bytes:
        """The job's options as they are stored."""
        return self._fields.get(b"opts", b"")

    @cached_property
    def opts(self) -> dict[str, Any]:
        """The job's options under the names they are stored by."""
        opts = _json(self._text(b"opts"))
        return opts if isinstance(opts, dict) else {}

    @property
    def max_attempts(self) -> int:
        """How many attempts the job may have; at least 1."""
        return max(_integer(str(self.opts.get("attempts", 1))) or 1, 1)

    @property
    def timestamp_ms(self) -> int:
        """When the job was added."""
        return self._number(b"timestamp") or 0

    @property
    def processed_on_ms(self) -> int | None:
        """When its last attempt began."""
        return self._number(b"processedOn")

    @property
    def finished_on_ms(self) -> int | None:
        """When it ended."""
        return self._number(b"finishedOn")

    @property
    def attempts_made(self) -> int:
        """How many attempts have ended."""
        return _integer(self._text(b"atm") or self._text(b"attemptsMade")) or 0

    @property
    def attempts_started(self) -> int:
        """How often it was taken."""
        return self._number(b"ats") or 0

    @cached_property
    def progress(self) -> Any | None:
        """What its handler told last."""
        return _json(self._text(b"progress"))

    @cached_property
    def returnvalue(self) -> Any | None:
        """The result; of an earlier run, perhaps: the job's state says whether it counts."""
        text = self._text(b"returnvalue")
        return _json(text, otherwise=text)

    @property
    def failed_reason(self) -> str | None:
        """Why it failed; of an earlier run, perhaps: the job's state says whether it counts."""
        return _plain_text(self._text(b"failedReason"))

    @property
    def error_code(self) -> str | None:
        """The failure's name for programs."""
        return self._text(ERROR_CODE.encode()) or None

    @property
    def has_cancel_mark(self) -> bool:
        """Whether a cancellation was ever asked for, an earlier run's included."""
        return _CANCEL_MARK in self._fields

    @property
    def cancel_requested_at_ms(self) -> int | None:
        """When a cancellation was asked for that still holds."""
        return self._number(_CANCEL_MARK) or None

    @property
    def delay_ms(self) -> int:
        """How long it was to wait first."""
        return self._number(b"delay") or 0

    @property
    def priority(self) -> int:
        """0 for none; else 1 is served first."""
        return self._number(b"priority") or 0

    @property
    def stalled_count(self) -> int:
        """How often its worker vanished."""
        return self._number(b"stc") or 0

    @property
    def stacktrace(self) -> list[str]:
        """The tracebacks of its last failures."""
        lines = _json(self._text(b"stacktrace"))
        return [str(line) for line in lines] if isinstance(lines, list) else []

    @property
    def deferred_failure(self) -> str | None:
        """Why it is to fail instead of being run."""
        return self._text(b"defa")

    @property
    def parent_key(self) -> str | None:
        """The key of the job that waits for this one."""
        return self._text(b"parentKey")

    @property
    def scheduler_id(self) -> str | None:
        """The scheduler that this is an iteration of."""
        return self._text(b"rjk")

    def _text(self, field: bytes) -> str | None:
        value = self._fields.get(field)
        return None if value is None else _decoded(value)

    def _number(self, field: bytes) -> int | None:
        return _integer(self._text(field))


def _decoded(value: bytes) -> str:
    return value.decode(errors="replace")


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


class Standing(NamedTuple):
    """A job, where it is, and its place in line while it waits there, read at one moment.

    A job without priority has a `place` only among the first thousand.
    """

    record: JobRecord | None
    state: QueueState
    place: PlaceInLine | None = None

    @classmethod
    def read(cls, job_id: str, reply: Sequence[Any]) -> Standing:
        """From the reply of `lua/snapshot.lua`."""
        state, flat, *place = reply
        if not flat:
            return NOWHERE
        in_line = PlaceInLine(*map(int, place)) if place and place[0] is not None else None
        return cls(JobRecord.from_fields(job_id, flat), QueueState(state.decode()), in_line)


NOWHERE = Standing(None, QueueState.UNKNOWN)
"""How a job stands that the queue does not know."""
