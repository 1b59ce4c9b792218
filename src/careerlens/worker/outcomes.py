"""What a run of a handler led to, before it is written down."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from careerlens.foundation.errors import JobError, UnrecoverableError
from careerlens.wire.cancel import CANCELLED_CODE, CANCELLED_REASON
from careerlens.wire.packing import strict_json

MAX_RESULT_BYTES = 1024 * 1024
_MAX_TRACEBACK = 8_000
_STALLED_TOO_OFTEN = "job stalled more than"

DescribeFailure: TypeAlias = Callable[[BaseException], tuple[str, str | None]]
"""Turns what a handler raised into the reason its owner reads, and a code for programs."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned; `value` is its result as JSON text."""

    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The run failed. `is_final`: trying again cannot help. `trace` is for developers."""

    reason: str
    code: str | None
    is_final: bool
    trace: str = ""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The run was broken off so that somebody else can have the job."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The job is no longer ours: nothing is written."""


Outcome: TypeAlias = Completed | Failed | HandedBack | Dropped

CANCELLED = Failed(reason=CANCELLED_REASON, code=CANCELLED_CODE, is_final=True)
GHOST = Failed(reason="The job's data is gone.", code="ghost", is_final=True)


def completed(value: Any) -> Completed | Failed:
    """The outcome of a returned value: a result must be strict JSON of at most 1 MiB.

    A wrong result fails the job for good, since the handler would return it again.
    """
    try:
        text = strict_json(value)
    except (TypeError, ValueError) as error:
        return _invalid_result(f"not JSON: {error}")
    if len(text) > MAX_RESULT_BYTES:
        return _invalid_result(f"{len(text)} bytes, of {MAX_RESULT_BYTES} allowed")
    return Completed(text)


def failed(error: BaseException, describe: DescribeFailure) -> Failed:
    """The outcome of an exception."""
    try:
        reason, code = describe(error)
    except Exception:  # noqa: BLE001 (an exception that cannot say what it is ends no worker)
        reason, code = type(error).__name__, None
    return Failed(
        reason=_sendable(reason),
        code=code,
        is_final=isinstance(error, UnrecoverableError),
        trace=_sendable("".join(traceback.format_exception(error))[-_MAX_TRACEBACK:]),
    )


def _sendable(text: str) -> str:
    """Without halves of surrogate pairs, as in names of files, which UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()


def describe_plainly(error: BaseException) -> tuple[str, str | None]:
    """The default description: the exception's own words, and a `JobError`'s code."""
    code = error.code if isinstance(error, JobError) else None
    return str(error) or type(error).__name__, code


def deferred(reason: str) -> Failed:
    """The outcome of a job that BullMQ has already given up (its field `defa`)."""
    if not reason.startswith(_STALLED_TOO_OFTEN):
        return Failed(reason=reason, code="given_up", is_final=True)
    kind_words = "The job was given up, because it broke off its worker again and again."
    return Failed(reason=kind_words, code="stalled", is_final=True, trace=reason)


def _invalid_result(problem: str) -> Failed:
    """The details go to the trace: the job's owner can do nothing with them."""
    reason = "The job ran, but its result cannot be stored."
    return Failed(reason=reason, code="result_invalid", is_final=True, trace=problem)
