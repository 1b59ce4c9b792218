"""Who was sent away for what they sent, again and again, and is not let in for a while."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

OFFENCES = frozenset({"protocol_error", "rate_limited"})
"""For what a connection is closed that no honest client does."""
MOST = 10
FORGIVEN_S = 6.0
_LONGEST_MEMORY_S = MOST * FORGIVEN_S


class Offences:
    """Lets each user offend ten times, and once more each six seconds.

    What an honest client does by mistake stays far below; who comes back only to offend costs
    next to nothing from then on. Each gateway process counts for itself, and keeps nobody in
    mind for longer than a minute.
    """

    def __init__(self) -> None:
        self._users: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """How much is not forgiven yet, and when that was counted; the latest last."""

    def count(self, user_id: str) -> None:
        """Once more."""
        now = time.monotonic()
        self._users[user_id] = (min(self._held(user_id, now) + 1, MOST), now)
        self._users.move_to_end(user_id)
        while self._users:
            oldest, (_, at) = next(iter(self._users.items()))
            if now - at < _LONGEST_MEMORY_S:
                return
            del self._users[oldest]

    def barred_for(self, user_id: str) -> int:
        """Whole seconds until the user may come in again; 0 is now."""
        excess = self._held(user_id, time.monotonic()) - (MOST - 1)
        return math.ceil(excess * FORGIVEN_S) if excess > 0 else 0

    def _held(self, user_id: str, now: float) -> float:
        held, at = self._users.get(user_id, (0.0, now))
        return max(0.0, held - (now - at) / FORGIVEN_S)
