"""Deadlines by the thousand, under one timer for all that are equally long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_GRANULARITY = 0.01  # of the length: what is due so soon after another may wait for company

_A_TURN = 32  # more that are due at once wait while everybody else has a turn

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Calls `action`, which must not raise, with each item `length_s` after it was added.

    Nothing is ever taken back: an item is kept until its time has come, and `action` sees
    whether it still matters.
    """

    def __init__(self, length_s: float, action: Callable[[T], None]) -> None:
        self._length_s = length_s
        self._action = action
        self._loop = asyncio.get_running_loop()
        self._due: deque[tuple[float, T]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, item: T) -> None:
        """Begin its time."""
        self._due.append((self._loop.time() + self._length_s, item))
        if self._timer is None:
            self._timer = self._loop.call_later(self._length_s, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        for _ in range(_A_TURN):
            if not self._due or self._due[0][0] > now:
                break
            self._action(self._due.popleft()[1])
        self._timer = None
        if self._due:
            left = self._due[0][0] - now
            rest = max(left, self._length_s * _GRANULARITY) if left > 0 else 0
            self._timer = self._loop.call_later(rest, self._ring)
