"""A user's feed: history, then live, in order, each entry exactly once by its id.

A position is the id of the last entry its holder has seen. Reads start AT that entry, not after
it: when it is no longer there, what followed it may be gone as well (trimmed, expired, or lost
with the server's last second), and the reader is told to ask again instead of missing it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from careerlens.foundation.logging import get_logger
from careerlens.foundation.redis import connect
from careerlens.jobs.keys import feed_key
from careerlens.realtime.deadlines import answer
from careerlens.realtime.entries import START, Entry, Resync, decode_entry, parse_position
from careerlens.realtime.wakeups import Wakeups

BATCH = 256
FEED_LENGTH = 10_000
FEED_SECONDS = 48 * 3600
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.05, 2.0
_log = get_logger("careerlens.realtime.feed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some entries, oldest first, and the position after them. `is_last`: no more for now."""

    entries: list[Entry]
    position: str
    is_last: bool


class Feed:
    """Reads feeds. Start it (or use it as a context manager) before following."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url, blocking=True)
        self._wakeups = Wakeups(url)

    @property
    def channels(self) -> frozenset[str]:
        """The wake-up channels in use: those of users being followed."""
        return self._wakeups.channels

    async def start(self) -> None:
        """Begin to listen for growth; a second call does nothing."""
        await self._wakeups.start()

    async def stop(self) -> None:
        """Close every connection."""
        await self._wakeups.stop()
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def position(self, user_id: str) -> str:
        """The id of the newest entry of the user's feed; `0-0` when there is none."""
        newest = await answer(
            "finding the end of a feed", self._redis.xrevrange(feed_key(user_id), count=1)
        )
        return str(newest[0][0]) if newest else START

    async def read(self, user_id: str, after: str, limit: int = BATCH) -> Page:
        """The next entries after the position `after`, at most `limit`.

        When the entry at `after` is gone, or never was in this feed, the page holds a single
        `Resync` and the position is the feed's end: only this user's entries are ever returned,
        whatever `after` says. Raises `MalformedPositionError` when it is not a position.
        """
        parse_position(after)
        if after == START:
            return _page(await self._range(user_id, "-", limit), after, limit)
        rows = await self._range(user_id, after, limit + 1)
        if rows and rows[0][0] == after:
            return _page(rows[1:], after, limit)
        end = await self.position(user_id)
        resync = Resync(id=end, reason="position_not_retained")
        return Page(entries=[resync], position=end, is_last=False)

    async def read_when_reachable(self, user_id: str, after: str, limit: int = BATCH) -> Page:
        """As `read`, waiting for as long as Redis cannot be reached."""
        backoff = _FIRST_BACKOFF_S
        while True:
            try:
                return await self.read(user_id, after, limit)
            except (RedisError, OSError) as failure:
                backoff = await _wait_after(failure, backoff)

    async def follow(self, user_id: str, after: str | None = None) -> AsyncGenerator[Entry, None]:
        """Every entry after the position `after` (from now on, when None), for ever.

        Survives a lost connection: reading goes on where it stopped. Raises
        `MalformedPositionError` at the first step when `after` is not a position.
        """
        if after is not None:
            parse_position(after)
        position = after if after is not None else await self._position_when_reachable(user_id)
        async with self._wakeups.watch(user_id, position) as watch:
            while True:
                watch.forget()
                page = await self.read_when_reachable(user_id, position)
                for entry in page.entries:
                    yield entry
                watch.position = position = page.position
                if page.is_last:
                    await watch.wait()

    async def _range(
        self, user_id: str, first: str, limit: int
    ) -> list[tuple[str, dict[str, str]]]:
        rows = await answer(
            "reading a feed", self._redis.xrange(feed_key(user_id), min=first, count=limit)
        )
        return [(str(entry_id), fields) for entry_id, fields in rows]

    async def _position_when_reachable(self, user_id: str) -> str:
        backoff = _FIRST_BACKOFF_S
        while True:
            try:
                return await self.position(user_id)
            except (RedisError, OSError) as failure:
                backoff = await _wait_after(failure, backoff)


def _page(rows: list[tuple[str, dict[str, str]]], after: str, limit: int) -> Page:
    entries: list[Entry] = []
    for entry_id, fields in rows:
        try:
            entries.append(decode_entry(entry_id, fields))
        except ValueError as error:
            # Not ours, or from a newer version: the reader has to learn of it all the same.
            _log.error("feed_entry_unreadable", entry=entry_id, reason=str(error).splitlines()[0])
            entries.append(Resync(id=entry_id, reason="entry_unreadable"))
    position = rows[-1][0] if rows else after
    return Page(entries=entries, position=position, is_last=len(rows) < limit)


async def _wait_after(failure: Exception, backoff: float) -> float:
    _log.warning("feed_read_failed", reason=str(failure))
    await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
    return min(backoff * 2, _LAST_BACKOFF_S)
