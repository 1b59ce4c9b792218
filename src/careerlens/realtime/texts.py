"""Reads the text that a job writes: what is there, then what comes, until the job ends.

An offset is a place between two entries of the job's stream (`careerlens.jobs.streams`): the
epoch and the bytes of its text before that place, so an offset names what its holder has seen and
nothing else. A read starts AT the entry that ends there: when that is no longer in the stream,
the text was begun afresh or has expired, and the reader is told so instead of being given the
rest of another text.

The text is closed when the job has ended. That is asked of the job's status, and asked before
the text is read: what a run writes is in the stream before its end is recorded.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from careerlens.foundation.errors import (
    CareerLensError,
    JobNotFoundError,
    ServiceUnavailableError,
)
from careerlens.foundation.logging import get_logger
from careerlens.jobs.endings import is_last
from careerlens.jobs.keys import text_key
from careerlens.jobs.manager import JobManager
from careerlens.jobs.streams import MAX_ENTRIES
from careerlens.realtime.entries import Resync
from careerlens.realtime.feed import Feed
from careerlens.realtime.wakeups import Wakeups, Watch
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.opening import open_link

LOOK_AGAIN_S = 15.0
_RETRY_S = 0.5
_OFFSET = re.compile(r"([0-9]{16})_([0-9]{16})\Z", re.ASCII)
_log = get_logger("careerlens.realtime.texts")


class MalformedOffsetError(ValueError):
    """It is no offset that we have ever given."""


class TextGoneError(CareerLensError):
    """What stood at this offset is not there: read from the beginning."""


@dataclass(frozen=True, order=True, slots=True)
class Offset:
    """A place in a job's text. As text it sorts as it does here."""

    epoch: int
    position: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `MalformedOffsetError`."""
        found = _OFFSET.match(text)
        if found is None:
            raise MalformedOffsetError(text)
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of_entry(cls, entry_id: bytes) -> Self:
        """The place after the entry of this id."""
        epoch, _, position = entry_id.partition(b"-")
        return cls(int(epoch), int(position))

    @property
    def entry_id(self) -> str:
        """The id of the entry that ends here."""
        return f"{self.epoch}-{self.position}"

    def __str__(self) -> str:
        return f"{self.epoch:016d}_{self.position:016d}"


BEGINNING = Offset(0, 0)
"""The place before any text, of whichever run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPage:
    """All the text after `start`, up to `end`. `is_closed`: the job has ended, and this is all."""

    text: str
    start: Offset
    end: Offset
    is_closed: bool


class Texts:
    """Reads the texts of jobs. Use as a context manager."""

    def __init__(
        self, url: str, feed: Feed, manager: JobManager, *, look_again_s: float = LOOK_AGAIN_S
    ) -> None:
        self._link = open_link(url, name="careerlens:texts")
        self._wakeups = Wakeups(url)
        self._feed = feed
        self._manager = manager
        self._look_again_s = look_again_s

    async def __aenter__(self) -> Self:
        await self._wakeups.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wakeups.stop()
        await self._link.close()

    @property
    def channels(self) -> frozenset[str]:
        """The channels of the texts being followed."""
        return self._wakeups.channels

    async def read(self, user_id: str, job_id: str, after: Offset) -> TextPage:
        """The text after the offset. The caller must know that the job is this user's.

        Raises `JobNotFoundError`, and `TextGoneError` when the offset is not of this text.
        """
        status = await self._manager.get_job_status(job_id, user_id)
        return await self._page(user_id, job_id, after, is_closed=status.status.is_final)

    async def end(self, user_id: str, job_id: str) -> TextPage:
        """An empty page at the end of the text. Raises `JobNotFoundError`."""
        status = await self._manager.get_job_status(job_id, user_id)
        key = text_key(user_id, job_id)
        rows = await self._link.call("XREVRANGE", key, "+", "-", "COUNT", 1)
        end = Offset.of_entry(rows[0][0]) if rows else BEGINNING
        return TextPage(text="", start=end, end=end, is_closed=status.status.is_final)

    async def follow(
        self, user_id: str, job_id: str, first: TextPage, feed_position: str
    ) -> AsyncGenerator[TextPage | None, None]:
        """The pages after `first`, as the text grows; the last is closed, and may be empty.

        `feed_position` is a place in the user's feed from before `first` was read. None comes
        every 15 s without news. Survives lost connections. Raises `TextGoneError` when the job
        begins its text afresh.
        """
        end, is_closed = first.end, first.is_closed
        async with self._wakeups.watch_text(user_id, job_id, end.entry_id) as watch:
            may_have_ended = asyncio.Event()
            hearing = asyncio.create_task(
                self._hear_of_end(user_id, job_id, feed_position, watch, may_have_ended),
                name=f"end of {job_id}",
            )
            try:
                while not is_closed:
                    is_quiet = not await _within(self._look_again_s, watch)
                    watch.forget()
                    if is_quiet or may_have_ended.is_set():
                        may_have_ended.clear()
                        is_closed = await self._has_ended(user_id, job_id)
                    page = await self._page_when_reachable(user_id, job_id, end, is_closed)
                    end, watch.position = page.end, page.end.entry_id
                    if page.text or is_closed:
                        yield page
                    elif is_quiet:
                        yield None
            finally:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)

    async def _hear_of_end(
        self, user_id: str, job_id: str, position: str, watch: Watch, news: asyncio.Event
    ) -> None:
        async with aclosing(self._feed.follow(user_id, position)) as entries:
            async for entry in entries:
                if isinstance(entry, Resync) or (entry.job_id == job_id and is_last(entry.event)):
                    news.set()
                    watch.wake()

    async def _has_ended(self, user_id: str, job_id: str) -> bool:
        try:
            return (await self._manager.get_job_status(job_id, user_id)).status.is_final
        except JobNotFoundError:
            return True  # it was removed, and leaves no trace
        except (ServiceUnavailableError, CommandRejectedError):
            return False  # asked again at the next silence

    async def _page_when_reachable(
        self, user_id: str, job_id: str, after: Offset, is_closed: bool
    ) -> TextPage:
        while True:
            try:
                return await self._page(user_id, job_id, after, is_closed=is_closed)
            except (ServiceUnavailableError, CommandRejectedError) as failure:
                _log.warning("text_read_failed", reason=str(failure))
                await asyncio.sleep(random.uniform(_RETRY_S / 2, _RETRY_S))  # noqa: S311 (jitter)

    async def _page(self, user_id: str, job_id: str, after: Offset, *, is_closed: bool) -> TextPage:
        key = text_key(user_id, job_id)
        first = "-" if after == BEGINNING else after.entry_id
        rows = await self._link.call("XRANGE", key, first, "+", "COUNT", MAX_ENTRIES + 2)
        if after != BEGINNING and (not rows or rows[0][0].decode() != after.entry_id):
            raise TextGoneError(f"nothing of the text ends at {after}")
        # The first is what the caller has, or the head of the text, which holds none.
        text = b"".join(fields[1] for _, fields in rows[1:]).decode()
        end = Offset.of_entry(rows[-1][0]) if rows else BEGINNING
        return TextPage(text=text, start=after, end=end, is_closed=is_closed)


async def _within(seconds: float, watch: Watch) -> bool:
    """Whether the watch woke in that time."""
    try:
        async with asyncio.timeout(seconds):
            await watch.wait()
    except TimeoutError:
        return False
    return True
