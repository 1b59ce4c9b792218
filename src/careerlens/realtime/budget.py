"""How much one client may send."""

from __future__ import annotations

import time


class TokenBucket:
    """Allows `rate` units a second on average, and `burst` at once after a rest."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = time.monotonic()

    def spend(self, units: float) -> bool:
        """Take `units`; False when there are not enough, and then none are taken."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if units > self._left:
            return False
        self._left -= units
        return True
