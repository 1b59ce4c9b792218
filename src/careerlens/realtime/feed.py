"""A user's feed: history, then live, in order, each entry exactly once by its id.

A position is the id of the last entry its holder has seen. Reads start AT that entry, not after
it: when it is no longer there, what followed it may be gone as well (trimmed, expired, or lost
with the server's last second), and the reader is told to ask again instead of missing it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Self

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.jobs.keys import feed_key
from careerlens.realtime.entries import START, Entry, Resync, decode_entry, parse_position
from careerlens.realtime.wakeups import Interest, Wakeups
from careerlens.wire.connection import encode
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.opening import open_link

BATCH = 256
FEED_LENGTH = 10_000
FEED_SECONDS = 48 * 3600
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.05, 2.0
_AWAY = (ServiceUnavailableError, CommandRejectedError)
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
        # Each of very many followers reads a little: what they send in one turn leaves together.
        self._link = open_link(url, name="careerlens:feed")
        self._wakeups = Wakeups(url)
        self.lost_positions = 0
        """How many readers were told to ask again, since what they had read last was gone."""
        self.delivered = 0
        """How many entries its readers have sent to clients, as these readers count."""
        self._fetching: set[asyncio.Task[None]] = set()

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
        for task in self._fetching:
            task.cancel()
        await asyncio.gather(*self._fetching, return_exceptions=True)
        await self._link.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def position(self, user_id: str) -> str:
        """The id of the newest entry of the user's feed; `0-0` when there is none.

        Raises as `Link.call`.
        """
        newest = await self._link.call("XREVRANGE", feed_key(user_id), "+", "-", "COUNT", 1)
        return newest[0][0].decode() if newest else START

    async def read(self, user_id: str, after: str, limit: int = BATCH) -> Page:
        """The next entries after the position `after`, at most `limit`.

        When the entry at `after` is gone, or never was in this feed, the page holds a single
        `Resync` and the position is the feed's end: only this user's entries are ever returned,
        whatever `after` says. Raises `MalformedPositionError` when it is not a position.
        """
        parse_position(after)
        page = _page(await self._link.call(*_command(user_id, after, limit)), after, limit)
        if page is not None:
            return page
        end = await self.position(user_id)
        self.lost_positions += 1
        resync = Resync(id=end, reason="position_not_retained")
        return Page(entries=[resync], position=end, is_last=False)

    async def read_when_reachable(self, user_id: str, after: str, limit: int = BATCH) -> Page:
        """As `read`, waiting for as long as Redis cannot be reached."""
        backoff = _FIRST_BACKOFF_S
        while True:
            try:
                return await self.read(user_id, after, limit)
            except _AWAY as failure:
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

    def attend(self, watch: Interest) -> None:
        """Wake the watch when its feed may have grown, and once at the beginning."""
        self._wakeups.attend(watch)

    def forget(self, watch: Interest) -> None:
        """Wake the watch no more."""
        self._wakeups.forget(watch)

    def fetch(self, user_id: str, after: str, take: Callable[[Page], None]) -> None:
        """As `read_when_reachable`, handing the page to `take`, which must not raise.

        Costs no task as long as Redis answers.
        """

        def on_reply(reply: Any) -> None:
            page = _page(reply, after, BATCH) if isinstance(reply, list) else None
            if page is not None:
                take(page)
            else:
                self._fetch_by_task(user_id, after, take)

        payload = encode(_command(user_id, after, BATCH))
        if not self._link.post(payload, on_reply, key=feed_key(user_id)):
            self._fetch_by_task(user_id, after, take)

    def _fetch_by_task(self, user_id: str, after: str, take: Callable[[Page], None]) -> None:
        async def fetch() -> None:
            take(await self.read_when_reachable(user_id, after))

        task = asyncio.get_running_loop().create_task(fetch())
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def _position_when_reachable(self, user_id: str) -> str:
        backoff = _FIRST_BACKOFF_S
        while True:
            try:
                return await self.position(user_id)
            except _AWAY as failure:
                backoff = await _wait_after(failure, backoff)


def _command(user_id: str, after: str, limit: int) -> tuple[str | int, ...]:
    """Reads AT the position, to see whether it still is one; nothing stands at the start."""
    return ("XRANGE", feed_key(user_id), after, "+", "COUNT", limit + (after != START))


def _page(rows: list[Any], after: str, limit: int) -> Page | None:
    """The reply to `_command`; None when the entry at the position is gone."""
    if after != START:
        if not rows or rows[0][0].decode() != after:
            return None
        del rows[0]
    entries: list[Entry] = []
    entry_id = after
    for raw_id, raw_fields in rows:
        entry_id = raw_id.decode()
        try:
            entries.append(decode_entry(entry_id, _fields(raw_fields)))
        except ValueError as error:
            # Not ours, or from a newer version: the reader has to learn of it all the same.
            _log.error("feed_entry_unreadable", entry=entry_id, reason=str(error).splitlines()[0])
            entries.append(Resync(id=entry_id, reason="entry_unreadable"))
    return Page(entries=entries, position=entry_id, is_last=len(rows) < limit)


def _fields(raw: list[bytes]) -> dict[str, str]:
    """Raises `ValueError` when it is no text."""
    texts = [part.decode() for part in raw]
    return dict(zip(texts[::2], texts[1::2], strict=True))


async def _wait_after(failure: Exception, backoff: float) -> float:
    _log.warning("feed_read_failed", reason=str(failure))
    await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
    return min(backoff * 2, _LAST_BACKOFF_S)
