"""How long something may take, for waits that are short, many, and nearly always over in time.

`asyncio.timeout` arms a timer of its own for each, which takes longer than most of the work it
guards. Here one timer looks after all of them, every now and then.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

LOOK_EVERY_S = 0.05


class patience:  # noqa: N801 (as `asyncio.timeout`, whose meaning it has)
    """Bounds the block, which awaits something, to `seconds`, and up to `LOOK_EVERY_S` more.

    Raises `TimeoutError` when it takes longer: the block is cancelled. To be entered by a task.

    ```python
    with patience(1.9):
        return await work
    ```
    """

    __slots__ = ("_cancelling", "_keeper", "_seconds", "_task", "ends_at", "is_over")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be given a time")
        self._task = task
        self._cancelling = task.cancelling()
        self._keeper = keeper = _keeper_of(asyncio.get_running_loop())
        self.ends_at = keeper.loop.time() + self._seconds
        keeper.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._keeper.waiting.pop(self, None)
        # Somebody else may have cancelled the task as well, and is to be obeyed.
        if (
            self.is_over
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def end(self) -> None:
        """Cancel what takes too long."""
        self.is_over = True
        self._task.cancel()


class _Keeper:
    """Looks after all that wait in one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: dict[patience, None] = {}
        self._is_looking = False

    def add(self, one: patience) -> None:
        self.waiting[one] = None
        if not self._is_looking:
            self._is_looking = True
            self.loop.call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        for one in [one for one in self.waiting if one.ends_at <= now]:
            del self.waiting[one]
            one.end()
        self._is_looking = bool(self.waiting)
        if self._is_looking:
            self.loop.call_later(LOOK_EVERY_S, self._look)


_last: _Keeper | None = None


def _keeper_of(loop: asyncio.AbstractEventLoop) -> _Keeper:
    """The loop's keeper. Where loops take turns each may have several, which does no harm."""
    global _last
    keeper = _last
    if keeper is None or keeper.loop is not loop:
        keeper = _last = _Keeper(loop)
    return keeper
