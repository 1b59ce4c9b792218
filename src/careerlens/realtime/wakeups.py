"""Says when a user's feed has grown: pub/sub for speed, and a sweep in case a message is lost.

Pub/sub is at most once, so nothing here is trusted to arrive. A wake-up only means "read again";
whoever reads from a position misses nothing, however many wake-ups are lost, doubled or late.
Channels are counted: only those of users being watched are subscribed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

from redis.exceptions import RedisError

from careerlens.foundation.logging import get_logger
from careerlens.foundation.redis import connect
from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.realtime.deadlines import answer
from careerlens.realtime.entries import parse_position

SWEEP_INTERVAL_S = 2.0
SILENCE_LIMIT_S = 10.0
_SWEEP_CHUNK = 500
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.05, 2.0
_CONTROL_CHANNEL = "careerlens:gateway"
_log = get_logger("careerlens.realtime.wakeups")


class Watch:
    """One reader's interest in one user's feed; `position` is kept current by the reader."""

    def __init__(self, user_id: str, position: str) -> None:
        self.feed_key = feed_key(user_id)
        self.channel = wake_channel(user_id)
        self.position = position
        self._grown = asyncio.Event()

    def wake(self) -> None:
        """Make the reader read again."""
        self._grown.set()

    def forget(self) -> None:
        """Call before reading, so that growth during the read is not overlooked."""
        self._grown.clear()

    async def wait(self) -> None:
        """Return when the feed may have grown since `forget`."""
        await self._grown.wait()


class Wakeups:
    """Watches any number of feeds over one pub/sub connection. Use as a context manager."""

    def __init__(self, url: str) -> None:
        self._subscriber = connect(url, blocking=True)
        self._reader = connect(url, blocking=True)
        self._watches: dict[str, set[Watch]] = {}
        self._commands: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
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
        await self._subscriber.aclose()
        await self._reader.aclose()

    @asynccontextmanager
    async def watch(self, user_id: str, position: str) -> AsyncIterator[Watch]:
        """A watch on the user's feed, which wakes at least once after its channel is heard."""
        watch = Watch(user_id, position)
        watchers = self._watches.setdefault(watch.channel, set())
        if not watchers:
            self._commands.put_nowait(("SUBSCRIBE", watch.channel))
        watchers.add(watch)
        try:
            yield watch
        finally:
            watchers.discard(watch)
            if not watchers:
                del self._watches[watch.channel]
                self._commands.put_nowait(("UNSUBSCRIBE", watch.channel))

    async def _listen(self) -> None:
        backoff = _FIRST_BACKOFF_S
        while True:
            try:
                async with asyncio.TaskGroup() as connection_tasks:
                    connection = self._new_connection()
                    try:
                        await connection.connect()
                        backoff = _FIRST_BACKOFF_S
                        self._subscribe_to_everything()
                        connection_tasks.create_task(
                            self._send_commands(connection), name="wakeups-send"
                        )
                        await self._receive(connection)
                    finally:
                        await connection.disconnect(nowait=True)
            except* (RedisError, OSError) as failures:
                _log.warning("wakeups_lost", reason=str(failures.exceptions[0]))
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
            backoff = min(backoff * 2, _LAST_BACKOFF_S)

    def _new_connection(self) -> Any:
        # Not the library's PubSub: it reconnects under whichever task happens to touch it.
        pool: Any = self._subscriber.connection_pool
        return pool.make_connection()

    def _subscribe_to_everything(self) -> None:
        # What was queued for the lost connection is part of the watches, or no longer wanted.
        while not self._commands.empty():
            self._commands.get_nowait()
        for channel in (_CONTROL_CHANNEL, *self._watches):
            self._commands.put_nowait(("SUBSCRIBE", channel))

    async def _send_commands(self, connection: Any) -> None:
        # Only this task writes: redis-py closes a connection whose sender is cancelled, and the
        # tasks that watch belong to people who come and go.
        while True:
            command = await self._commands.get()
            await connection.send_command(*command, check_health=False)

    async def _receive(self, connection: Any) -> None:
        silent = False
        while True:
            reply = await connection.read_response(
                timeout=SILENCE_LIMIT_S, disconnect_on_error=False
            )
            if reply is None:
                if silent:
                    raise ConnectionError(f"no answer for {2 * SILENCE_LIMIT_S:.0f} s")
                silent = True
                self._commands.put_nowait(("PING", ""))
                continue
            silent = False
            if reply[0] in {"message", "subscribe"}:
                for watch in self._watches.get(reply[1], ()):
                    watch.wake()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            try:
                for chunk in self._chunks_of_channels():
                    await self._sweep_channels(chunk)
            except (RedisError, OSError) as failure:
                _log.warning("wakeup_sweep_failed", reason=str(failure))

    def _chunks_of_channels(self) -> Iterator[list[str]]:
        channels = iter(list(self._watches))
        while chunk := list(islice(channels, _SWEEP_CHUNK)):
            yield chunk

    async def _sweep_channels(self, channels: list[str]) -> None:
        # Growth is asked for from the reader furthest behind; waking the others is harmless.
        furthest_behind = {
            watch.feed_key: watch
            for channel in channels
            if (watchers := self._watches.get(channel))
            for watch in [min(watchers, key=lambda one: parse_position(one.position))]
        }
        if not furthest_behind:
            return
        positions: Any = {key: watch.position for key, watch in furthest_behind.items()}
        reply = await answer("the sweep", self._reader.xread(positions, count=1))
        for key, _entries in reply:
            for watch in self._watches.get(furthest_behind[key].channel, ()):
                watch.wake()
