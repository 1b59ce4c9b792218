"""Streams that end when they must, and of which nobody may hold too many.

A stream ends when the server stops, when the token that opened it expires, and when that token is
taken back: whichever comes first tells its `code` to the place that the stream has taken.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

from careerlens.api.problems import ProblemError
from careerlens.auth import Caller
from careerlens.auth.revocations import RevokedTokens

MAX_STREAMS = 50
_RETRY_AFTER_S = 5
# Timers follow the loop's clock, expiry the wall's.
_LONGEST_NAP_S = 60.0

T = TypeVar("T")


class Place:
    """One open stream of a caller's, from its request to its end."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        loop = asyncio.get_running_loop()
        self.is_over: asyncio.Future[None] = loop.create_future()
        self.code: str | None = None
        """Why the stream had to end, once it had to."""
        self._timer: asyncio.TimerHandle | None = None
        self.look_at_clock()

    def look_at_clock(self) -> None:
        """End the stream when the caller's time is over; look again when it may be."""
        if self.caller.expires_at is None or self.is_over.done():
            return
        left_s = self.caller.expires_at - time.time()
        if left_s <= 0:
            self.end("token_expired")
            return
        nap_s = min(left_s, _LONGEST_NAP_S)
        self._timer = asyncio.get_running_loop().call_later(nap_s, self.look_at_clock)

    def end(self, code: str) -> None:
        """Let the stream end; the first reason stands."""
        if not self.is_over.done():
            self.code = code
            self.is_over.set_result(None)

    def leave(self) -> None:
        """The stream is closed."""
        if self._timer is not None:
            self._timer.cancel()


class StreamPlaces:
    """The streams that are open on this process, and how many each user has."""

    def __init__(self, revoked: RevokedTokens) -> None:
        self._revoked = revoked
        self._taken: Counter[str] = Counter()
        self._places: set[Place] = set()
        self._is_stopping = False
        revoked.listen(self._end_revoked)

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._places)

    @contextmanager
    def taken_by(self, caller: Caller) -> Iterator[Place]:
        """One place inside the block. Raises `ProblemError` when the user has too many."""
        if self._taken[caller.user_id] >= MAX_STREAMS:
            raise ProblemError("too-many-streams", headers={"Retry-After": str(_RETRY_AFTER_S)})
        place = Place(caller)
        self._taken[caller.user_id] += 1
        self._places.add(place)
        if self._is_stopping:
            place.end("draining")
        elif self._revoked.voids(caller):
            place.end("token_revoked")
        try:
            yield place
        finally:
            place.leave()
            self._places.discard(place)
            self._taken[caller.user_id] -= 1
            if not self._taken[caller.user_id]:
                del self._taken[caller.user_id]

    def stop(self) -> None:
        """End every stream, those to come as well: the server is about to stop."""
        self._is_stopping = True
        for place in self._places:
            place.end("draining")

    def _end_revoked(self) -> None:
        for place in self._places:
            if self._revoked.voids(place.caller):
                place.end("token_revoked")


async def until_over(events: AsyncGenerator[T, None], place: Place) -> AsyncGenerator[T, None]:
    """What `events` yields, until it ends or the place's time is over; it is closed either way."""
    async with aclosing(events):
        upcoming: asyncio.Future[T] | None = None
        try:
            while True:
                upcoming = asyncio.ensure_future(anext(events))
                either: set[asyncio.Future[Any]] = {upcoming, place.is_over}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if place.is_over.done():
                    return
                try:
                    event = upcoming.result()
                except StopAsyncIteration:
                    return
                yield event
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)
