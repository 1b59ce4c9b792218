"""How far a job is, read from whatever a worker of any make has written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from careerlens.jobs.model import JobProgress


def read_progress(raw: Any) -> JobProgress | None:
    """A progress report as people see it; None when it says nothing of use.

    Ours are objects. A worker written for BullMQ reports a number from 0 to 100, or an object of
    its own: then a `percent` or `percentage` in it counts, and `message` and `step` where they
    are texts.
    """
    if _is_number(raw):
        return JobProgress(percent=_clamp(raw))
    if not isinstance(raw, Mapping):
        return None
    try:
        return JobProgress.model_validate(raw, by_alias=True)
    except ValidationError:
        return _foreign(raw)


def _foreign(raw: Mapping[str, Any]) -> JobProgress | None:
    percent = next(
        (raw[name] for name in ("percent", "percentage") if _is_number(raw.get(name))), None
    )
    if percent is None:
        return None
    message, step = raw.get("message"), raw.get("step")
    return JobProgress(
        percent=_clamp(percent),
        message=message if isinstance(message, str) else "",
        step=step if isinstance(step, str) else None,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _clamp(percent: float) -> float:
    return min(max(float(percent), 0.0), 100.0)
