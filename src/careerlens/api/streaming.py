"""Streams that end when the server stops, and of which nobody may hold too many."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import TypeVar

from careerlens.api.problems import ProblemError

MAX_STREAMS = 50
_RETRY_AFTER_S = 5

T = TypeVar("T")


class StreamPlaces:
    """How many streams each user has open on this process: each holds a connection."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken_by(self, user_id: str) -> Iterator[None]:
        """One place inside the block. Raises `ProblemError` when the user has too many."""
        if self._taken[user_id] >= MAX_STREAMS:
            raise ProblemError("too-many-streams", headers={"Retry-After": str(_RETRY_AFTER_S)})
        self._taken[user_id] += 1
        try:
            yield
        finally:
            self._taken[user_id] -= 1
            if not self._taken[user_id]:
                del self._taken[user_id]


async def until_stopping(
    events: AsyncGenerator[T, None], stopping: asyncio.Event, *, ends_at: float | None = None
) -> AsyncGenerator[T, None]:
    """What `events` yields, until it ends or `stopping` is set; it is closed either way.

    Not beyond `ends_at` (epoch seconds) either, which is when the caller's token expires.
    """
    stop = asyncio.create_task(stopping.wait(), name="stopping")
    async with aclosing(events):
        upcoming: asyncio.Future[T] | None = None
        try:
            while True:
                upcoming = asyncio.ensure_future(anext(events))
                left_s = None if ends_at is None else max(0.0, ends_at - time.time())
                await asyncio.wait(
                    {upcoming, stop}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
                )
                if not upcoming.done():
                    return
                try:
                    event = upcoming.result()
                except StopAsyncIteration:
                    return
                yield event
        finally:
            stop.cancel()
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)
