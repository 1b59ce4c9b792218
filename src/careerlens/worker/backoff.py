"""When a failed job is tried again, by BullMQ's own options (Node 6.x `backoffs.ts`)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from careerlens.queue.record import JobRecord

_LONGEST_DELAY_MS = 24 * 60 * 60 * 1000


def retry_delay_ms(job: JobRecord, attempts_made: int) -> int | None:
    """Milliseconds until the next attempt, after `attempts_made` of them; None when none is left.

    0 means at once. `fixed` and `exponential` are known, with `jitter`; a strategy that only the
    producer's program knows counts as `exponential`. A delay is a day at most.
    """
    if attempts_made >= job.max_attempts:
        return None
    backoff = job.opts.get("backoff")
    if not backoff:
        return 0
    options: Mapping[str, Any] = (
        backoff if isinstance(backoff, Mapping) else {"type": "fixed", "delay": backoff}
    )
    base = _number(options.get("delay"))
    doublings: int = 0 if options.get("type") == "fixed" else min(attempts_made - 1, 32)
    longest = min(base * 2.0**doublings, _LONGEST_DELAY_MS)
    jitter = min(max(_number(options.get("jitter")), 0.0), 1.0)
    spread = random.random() * longest * jitter  # noqa: S311 (jitter only)
    return round(longest * (1 - jitter) + spread)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0
