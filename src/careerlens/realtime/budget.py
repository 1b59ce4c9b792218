"""How much one client may send."""

from __future__ import annotations

import time


class Budget:
    """Allows packets and bytes: so many a second on average, and more at once after a rest."""

    __slots__ = ("_at", "_bytes", "_packets")

    def __init__(self, packets: float, octets: float) -> None:
        self._packets = packets
        self._bytes = octets
        self._at = time.monotonic()

    def spend(
        self,
        size: int,
        *,
        packets_per_s: float,
        packets_at_once: float,
        bytes_per_s: float,
        bytes_at_once: float,
    ) -> bool:
        """Take one packet of `size` bytes; False when there is not enough left for it."""
        now = time.monotonic()
        rest = now - self._at
        self._at = now
        self._packets = min(packets_at_once, self._packets + rest * packets_per_s)
        self._bytes = min(bytes_at_once, self._bytes + rest * bytes_per_s)
        if self._packets < 1 or self._bytes < size:
            return False
        self._packets -= 1
        self._bytes -= size
        return True
