"""From one follower per connected user to all of that user's sockets.

    feed.follow(user) ──▶ hub ──▶ delivery (at the hub's place)
                           │  ──▶ delivery
                           └────▶ delivery that cannot keep up: leaves, and catches up
                   feed.read ────▶ delivery (catching up, joins when it reaches the hub)

A delivery remembers the last entry it passed on, so each socket gets each entry once, wherever
it resumed and however the two ways of reading overlap. The hub encodes an entry, and reads its
position, once for all. What a socket has not taken yet stays in the feed, not in memory.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Protocol

from careerlens.foundation.logging import get_logger
from careerlens.realtime import packets
from careerlens.realtime.entries import Entry, Position, Resync, parse_position, position_text
from careerlens.realtime.feed import Feed

CATCH_UP_PAGE = 256
_log = get_logger("careerlens.realtime.fanout")


class Receiver(Protocol):
    """What a socket is to the fan-out."""

    @property
    def has_backlog(self) -> bool:
        """Whether it should be given time to take what is queued."""

    def send_entry(self, message: str) -> None:
        """Queue an encoded entry."""

    async def room(self) -> bool:
        """Wait while there is a backlog; False when the socket is closed, or not reading."""

    def give_up(self) -> None:
        """The feed cannot be followed: let the client come back."""


class Delivery:
    """One socket's place in its user's feed."""

    def __init__(self, receiver: Receiver, position: str) -> None:
        self.receiver = receiver
        self.position = parse_position(position)
        self._attention = asyncio.Event()

    def pass_on(self, position: Position, message: str, *, goes_back: bool) -> None:
        """Send the entry that stands at `position` unless the socket has it.

        `goes_back`: the feed itself has lost its end, so the place in it goes back too.
        """
        if goes_back or position > self.position:
            self.position = position
            self.receiver.send_entry(message)

    def look_up(self) -> None:
        """The socket has left the hub, or is closed: see what is to be done."""
        self._attention.set()

    async def until_looked_up(self) -> None:
        """Return after `look_up` was called."""
        await self._attention.wait()
        self._attention.clear()


class Hub:
    """Follows one user's feed, from `position` on, for all of their sockets."""

    def __init__(self, feed: Feed, user_id: str, position: str) -> None:
        self.users = 0
        self._feed = feed
        self._user_id = user_id
        self._position = parse_position(position)
        self._deliveries: set[Delivery] = set()
        self._task = asyncio.create_task(self._follow(), name="hub")

    async def catch_up(self, delivery: Delivery) -> None:
        """Send what the socket has missed, then let it have what the hub reads.

        Returns once it joined, or when it takes no more.
        """
        while await delivery.receiver.room():
            page = await self._feed.read_when_reachable(
                self._user_id, position_text(delivery.position), CATCH_UP_PAGE
            )
            for entry in page.entries:
                if not await delivery.receiver.room():
                    return
                position = parse_position(entry.id)
                delivery.pass_on(position, encode(entry), goes_back=isinstance(entry, Resync))
            delivery.position = parse_position(page.position)
            # Nothing may be awaited between this comparison and joining.
            if delivery.position >= self._position:
                self._deliveries.add(delivery)
                return

    def leave(self, delivery: Delivery) -> None:
        """Send nothing more to this socket."""
        self._deliveries.discard(delivery)

    async def stop(self) -> None:
        """Stop following."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        try:
            start = position_text(self._position)
            async with aclosing(self._feed.follow(self._user_id, start)) as entries:
                async for entry in entries:
                    self._fan_out(entry)
        except Exception:  # noqa: BLE001 (logged; it concerns these clients alone)
            _log.exception("hub_failed")
            for delivery in self._deliveries:
                delivery.receiver.give_up()

    def _fan_out(self, entry: Entry) -> None:
        position = parse_position(entry.id)
        goes_back = position < self._position
        self._position = position
        message = encode(entry)
        for delivery in list(self._deliveries):
            if delivery.receiver.has_backlog:
                self.leave(delivery)
                delivery.look_up()
            else:
                delivery.pass_on(position, message, goes_back=goes_back)


class Fanout:
    """The hubs of the users who are connected now, one each."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._hubs: dict[str, Hub] = {}

    async def deliver(self, user_id: str, delivery: Delivery, *, end: str) -> None:
        """Deliver the user's entries until the socket takes no more.

        `end` is the position of the feed's newest entry, where a new hub starts.
        """
        hub = self._hubs.get(user_id)
        if hub is None:
            hub = self._hubs[user_id] = Hub(self._feed, user_id, end)
        hub.users += 1
        try:
            while await delivery.receiver.room():
                await hub.catch_up(delivery)
                await delivery.until_looked_up()
        finally:
            hub.leave(delivery)
            hub.users -= 1
            if hub.users == 0:
                del self._hubs[user_id]
                await hub.stop()


def encode(entry: Entry) -> str:
    """The Socket.IO event that tells a client of the entry."""
    if isinstance(entry, Resync):
        return packets.event("resync", entry.as_wire())
    return packets.event_of_json("job:update", entry.json_text)
