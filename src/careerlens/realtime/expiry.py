"""Watches a caller's token, so that a session outlives it by no more than a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

WARNING_S = 60.0
# Timers follow the loop's clock, expiry the wall's: look again at least this often.
_LONGEST_NAP_S = 30.0


class ExpiryWatch:
    """Calls `warn` a minute before the time is over (it is told when), and `end` when it is."""

    def __init__(self, *, warn: Callable[[float], None], end: Callable[[], None]) -> None:
        self._warn = warn
        self._end = end
        self._expires_at: float | None = None
        self._has_warned = False
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, expires_at: float | None) -> None:
        """Watch this time (epoch seconds) in place of the one before; None never comes."""
        self._expires_at = expires_at
        self._has_warned = False
        self._look()

    def stop(self) -> None:
        """Call nothing more, whatever is asked for later: a closed session is not kept alive."""
        self._is_stopped = True
        self._rest()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._rest()
        if self._expires_at is None or self._is_stopped:
            return
        left = self._expires_at - time.time()
        if left <= 0:
            self._end()
            return
        if left <= WARNING_S and not self._has_warned:
            self._has_warned = True
            self._warn(self._expires_at)
            if self._is_stopped:
                return  # the session could not be told, and is closed
        until_warning = left - WARNING_S
        nap = min(until_warning if until_warning > 0 else left, _LONGEST_NAP_S)
        self._timer = asyncio.get_running_loop().call_later(nap, self._look)
