"""Says when a feed or a text has grown: pub/sub for speed, a sweep in case a message is lost.

Pub/sub is at most once, so nothing here is trusted to arrive. A wake-up only means "read again";
whoever reads from a position misses nothing, however many wake-ups are lost, doubled or late.
Channels are counted: only those of users being watched are subscribed.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import islice
from typing import Any

import hiredis

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.jobs.keys import feed_key, text_channel, text_key, wake_channel
from careerlens.realtime.entries import parse_position
from careerlens.wire.address import CANNOT_CONNECT
from careerlens.wire.cluster import ClusterLink
from careerlens.wire.connection import Connection, encode
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.locating import address_of
from careerlens.wire.opening import open_link

SWEEP_INTERVAL_S = 2.0
SILENCE_LIMIT_S = 10.0
_SWEEP_CHUNK = 500
_CONNECT_S = 5.0
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.05, 2.0
_CONTROL_CHANNEL = "careerlens:gateway"
_log = get_logger("careerlens.realtime.wakeups")


class Interest(ABC):
    """Somebody's interest in one stream; `position` is kept current by whoever reads it."""

    __slots__ = ("channel", "key", "position")

    def __init__(self, key: str, channel: str, position: str) -> None:
        self.key = key
        self.channel = channel
        self.position = position

    @abstractmethod
    def wake(self) -> None:
        """Make the reader read again."""


class Watch(Interest):
    """The interest of a reader that waits."""

    __slots__ = ("_grown",)

    def __init__(self, key: str, channel: str, position: str) -> None:
        super().__init__(key, channel, position)
        self._grown = asyncio.Event()

    def wake(self) -> None:
        """Make the reader read again."""
        self._grown.set()

    def forget(self) -> None:
        """Call before reading, so that growth during the read is not overlooked."""
        self._grown.clear()

    async def wait(self) -> None:
        """Return when the stream may have grown since `forget`."""
        await self._grown.wait()


class Wakeups:
    """Watches any number of feeds and texts over one pub/sub connection; sweeps over another."""

    def __init__(self, url: str) -> None:
        link = self._link = open_link(url, name="careerlens:sweep")
        # Every node of a cluster tells what is published on any; the link learns of new ones.
        self._address = link.entrances if isinstance(link, ClusterLink) else address_of(url)
        self._connection: Connection | None = None
        self._watches: dict[str, tuple[Interest, ...]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def channels(self) -> frozenset[str]:
        """The channels of the users being watched now."""
        return frozenset(self._watches)

    async def start(self) -> None:
        """Begin listening; a second call does nothing."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._listen(), name="wakeups-listen"),
                asyncio.create_task(self._sweep(), name="wakeups-sweep"),
            ]

    async def stop(self) -> None:
        """Stop listening and close both connections. Watches hear nothing from then on."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()

    def attend(self, watch: Interest) -> None:
        """Wake the watch from now on; at least once after its channel is heard."""
        watchers = self._watches.get(watch.channel, ())
        self._watches[watch.channel] = (*watchers, watch)
        self._subscribe(watch.channel)

    def forget(self, watch: Interest) -> None:
        """Wake the watch no more."""
        others = tuple(one for one in self._watches.get(watch.channel, ()) if one is not watch)
        if others:
            self._watches[watch.channel] = others
        elif self._watches.pop(watch.channel, None) and self._connection is not None:
            self._connection.post(encode(("UNSUBSCRIBE", watch.channel)), self._check)

    def watch(self, user_id: str, position: str) -> AbstractAsyncContextManager[Watch]:
        """A watch on the user's feed, which wakes at least once after its channel is heard."""
        return self._watching(Watch(feed_key(user_id), wake_channel(user_id), position))

    def watch_text(
        self, user_id: str, job_id: str, position: str
    ) -> AbstractAsyncContextManager[Watch]:
        """As `watch`, on the text that a job writes."""
        key, channel = text_key(user_id, job_id), text_channel(user_id, job_id)
        return self._watching(Watch(key, channel, position))

    @asynccontextmanager
    async def _watching(self, watch: Watch) -> AsyncIterator[Watch]:
        self.attend(watch)
        try:
            yield watch
        finally:
            self.forget(watch)

    async def _listen(self) -> None:
        backoff = _FIRST_BACKOFF_S
        while True:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    connection = await self._address.open(self._new_connection)
                backoff = _FIRST_BACKOFF_S
                await self._listen_to(connection)
            except CANNOT_CONNECT as failure:
                _log.warning("wakeups_lost", reason=str(failure))
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
            backoff = min(backoff * 2, _LAST_BACKOFF_S)

    def _new_connection(self) -> Connection:
        return Connection(on_push=self._pushed)

    async def _listen_to(self, connection: Connection) -> None:
        """Raises `ConnectionError` when the connection is lost, or silent."""
        self._connection = connection
        following = asyncio.create_task(self._address.follow(connection))
        try:
            for channel in (_CONTROL_CHANNEL, *self._watches):
                self._subscribe(channel)
            while not connection.lost.is_set():
                try:
                    async with asyncio.timeout(SILENCE_LIMIT_S):
                        await connection.lost.wait()
                except TimeoutError:
                    if connection.silent_for >= SILENCE_LIMIT_S:
                        raise ConnectionError(f"no answer for {SILENCE_LIMIT_S:.0f} s") from None
                    connection.post(encode(("PING",)), self._check)
            raise ConnectionError("the connection was closed")
        finally:
            self._connection = None
            following.cancel()
            connection.abort("no longer listening")

    def _subscribe(self, channel: str) -> None:
        connection = self._connection
        if connection is not None and connection.is_open:
            heard = partial(self._heard, channel)
            connection.post(encode(("SUBSCRIBE", channel)), heard)

    def _heard(self, channel: str, reply: Any) -> None:
        self._check(reply)
        for watch in self._watches.get(channel, ()):
            watch.wake()

    def _check(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError) and self._connection is not None:
            _log.error("wakeups_refused", reason=str(reply))
            self._connection.abort("the server refused to tell")

    def _pushed(self, message: list[Any]) -> None:
        for watch in self._watches.get(message[1].decode(), ()):
            watch.wake()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            try:
                for chunk in self._chunks_of_channels():
                    await self._sweep_channels(chunk)
            except (ServiceUnavailableError, CommandRejectedError) as failure:
                _log.warning("wakeup_sweep_failed", reason=str(failure))

    def _chunks_of_channels(self) -> Iterator[list[str]]:
        channels = iter(list(self._watches))
        while chunk := list(islice(channels, _SWEEP_CHUNK)):
            yield chunk

    async def _sweep_channels(self, channels: list[str]) -> None:
        # Growth is asked for from the reader furthest behind; waking the others is harmless.
        furthest_behind = {
            watch.key: watch
            for channel in channels
            if (watchers := self._watches.get(channel))
            for watch in [_furthest_behind(watchers)]
        }
        if not furthest_behind:
            return
        for key in await self._grown_among(list(furthest_behind.values())):
            for watch in self._watches.get(furthest_behind[key].channel, ()):
                watch.wake()

    async def _grown_among(self, watches: list[Interest]) -> list[str]:
        """The keys with more than their watch has seen."""
        keys = [watch.key for watch in watches]
        positions = [watch.position for watch in watches]
        if isinstance(self._link, ClusterLink):
            questions = [
                ("XREAD", "COUNT", 1, "STREAMS", key, position)
                for key, position in zip(keys, positions, strict=True)
            ]
            answers = await self._link.call_each(questions)
            return [key for key, answer in zip(keys, answers, strict=True) if answer]
        reply = await self._link.call("XREAD", "COUNT", 1, "STREAMS", *keys, *positions)
        return [key.decode() for key, _ in reply or ()]


def _furthest_behind(watchers: tuple[Interest, ...]) -> Interest:
    if len(watchers) == 1:
        return watchers[0]
    return min(watchers, key=lambda one: parse_position(one.position))
