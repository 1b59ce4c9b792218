"""Watches a caller's token, so that a session outlives it by no more than a moment."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

WARNING_S = 60.0
# Timers follow the loop's clock, expiry the wall's. What is further away than this has no timer:
# it is looked for again at each heartbeat.
_LONGEST_NAP_S = 60.0


class Expiring(Protocol):
    """What ends with its token."""

    def warn(self, expires_at: float) -> None:
        """A minute is left, until `expires_at`."""

    def expire(self) -> None:
        """The time is over."""


class ExpiryWatch:
    """Warns a minute before the time is over, and ends what expires when it is.

    `look` has to be called now and then, more often than each minute.
    """

    __slots__ = ("_expires_at", "_expiring", "_has_warned", "_is_stopped", "_timer")

    def __init__(self, expiring: Expiring) -> None:
        self._expiring = expiring
        self._expires_at: float | None = None
        self._has_warned = False
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, expires_at: float | None) -> None:
        """Watch this time (epoch seconds) in place of the one before; None never comes."""
        self._expires_at = expires_at
        self._has_warned = False
        self.look()

    def stop(self) -> None:
        """Call nothing more, whatever is asked for later: a closed session is not kept alive."""
        self._is_stopped = True
        self._rest()

    def look(self) -> None:
        """See whether it is time."""
        self._rest()
        if self._expires_at is None or self._is_stopped:
            return
        left = self._expires_at - time.time()
        if left <= 0:
            self._expiring.expire()
            return
        if left <= WARNING_S and not self._has_warned:
            self._has_warned = True
            self._expiring.warn(self._expires_at)
            if self._is_stopped:
                return  # the session could not be told, and is closed
        until_warning = left - WARNING_S
        nap = until_warning if until_warning > 0 else left
        if nap <= _LONGEST_NAP_S:
            self._timer = asyncio.get_running_loop().call_later(nap, self.look)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
