"""What time it is, as the queue and everything kept about jobs counts it."""

from __future__ import annotations

import time


def epoch_ms() -> int:
    """Milliseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1_000_000
