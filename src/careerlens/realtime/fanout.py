"""From one reader per connected user to all of that user's sockets.

    feed.fetch(hub) ──▶ hub ──▶ delivery (at the hub's place)
                         │  ──▶ delivery
                         └────▶ delivery that cannot keep up: leaves, and catches up
          feed.read ──────────▶ delivery (catching up, joins when it reaches the hub)

A delivery remembers the last entry it passed on, so each socket gets each entry once, wherever
it resumed and however the two ways of reading overlap. The hub encodes entries once for all: as
the bytes of their frames. What a socket has not taken yet stays in the feed, not in memory.
Nothing of this is a task, except while a socket catches up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from careerlens.foundation.logging import get_logger
from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.realtime import packets
from careerlens.realtime.connection import message_frame
from careerlens.realtime.entries import Entry, Position, Resync, parse_position, position_text
from careerlens.realtime.feed import Feed, Page
from careerlens.realtime.wakeups import Interest

CATCH_UP_PAGE = 32
_log = get_logger("careerlens.realtime.fanout")


class Receiver(Protocol):
    """What a socket is to the fan-out."""

    @property
    def has_backlog(self) -> bool:
        """Whether it should be given time to take what is queued."""

    def send_entries(self, frames: Sequence[bytes], joined: bytes) -> None:
        """Queue encoded entries; `joined` holds all of them."""

    async def room(self) -> bool:
        """Wait while there is a backlog; False when the socket is closed, or not reading."""

    def give_up(self) -> None:
        """The feed cannot be followed: let the client come back."""


class Delivery:
    """One socket's place in its user's feed."""

    __slots__ = ("_catching_up", "_hub", "_receiver", "position")

    def __init__(self, hub: Hub, receiver: Receiver, position: Position) -> None:
        self.position = position
        self._hub = hub
        self._receiver = receiver
        self._catching_up: asyncio.Task[None] | None = None

    @property
    def has_backlog(self) -> bool:
        """Whether the socket should be given time."""
        return self._receiver.has_backlog

    def pass_on(self, places: Sequence[Position], frames: Sequence[bytes], joined: bytes) -> None:
        """Send the entries that stand at these places, except those that the socket has."""
        if places[0] > self.position:
            self.position = places[-1]
            self._receiver.send_entries(frames, joined)
            return
        missing = [index for index, place in enumerate(places) if place > self.position]
        if missing:
            self.position = places[-1]
            rest = frames[missing[0] :]
            self._receiver.send_entries(rest, b"".join(rest))

    def go_back(self, position: Position, frame: bytes) -> None:
        """Send an entry that stands before what was sent: the feed itself has lost its end."""
        self.position = position
        self._receiver.send_entries((frame,), frame)

    def catch_up(self) -> None:
        """Send what the socket has missed, then join the hub again."""
        self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    def leave(self) -> None:
        """Send nothing more: the socket is closed."""
        if self._catching_up is not None and self._catching_up is not asyncio.current_task():
            self._catching_up.cancel()
        self._hub.leave(self)

    async def _catch_up(self) -> None:
        try:
            await self._read_up()
        except Exception:  # noqa: BLE001 (logged; it concerns this client alone)
            _log.exception("delivery_failed")
            self._receiver.give_up()
        finally:
            self._catching_up = None

    async def _read_up(self) -> None:
        while await self._receiver.room():
            page = await self._hub.read_after(self.position)
            for entry in page.entries:
                if not await self._receiver.room():
                    return
                frame = encode(entry)
                if isinstance(entry, Resync):
                    self.go_back(parse_position(entry.id), frame)
                else:
                    self.pass_on((parse_position(entry.id),), (frame,), frame)
            self._hub.feed.delivered += len(page.entries)
            self.position = parse_position(page.position)
            # Nothing may be awaited between this comparison and joining.
            if self._hub.joins(self):
                return


class Hub(Interest):
    """Reads one user's feed, from `position` on, for all of their sockets."""

    __slots__ = (
        "_deliveries",
        "_has_grown",
        "_is_reading",
        "_place",
        "_user_id",
        "fanout",
        "feed",
        "users",
    )

    def __init__(self, fanout: Fanout, feed: Feed, user_id: str, position: str) -> None:
        super().__init__(feed_key(user_id), wake_channel(user_id), position)
        self.fanout = fanout
        self.feed = feed
        self.users = 0
        self._user_id = user_id
        self._place = parse_position(position)
        self._deliveries: dict[Delivery, None] = {}
        self._is_reading = False
        self._has_grown = False
        feed.attend(self)

    def wake(self) -> None:
        """The feed may have grown."""
        if self._is_reading:
            self._has_grown = True
        else:
            self._read()

    def joins(self, delivery: Delivery) -> bool:
        """Let the socket have what the hub reads, unless it has to catch up with it first."""
        if delivery.position < self._place:
            return False
        self._deliveries[delivery] = None
        return True

    def begin(self, delivery: Delivery) -> None:
        """Deliver to a socket that is new here."""
        self.users += 1
        # Its place was told by whoever resumes, unless it is the hub's own: the feed has to say
        # whether it still is one.
        if delivery.position == self._place:
            self._deliveries[delivery] = None
        else:
            delivery.catch_up()

    def leave(self, delivery: Delivery) -> None:
        """Deliver nothing more to this socket."""
        self._deliveries.pop(delivery, None)
        self.users -= 1
        if self.users == 0:
            del self.fanout.hubs[self._user_id]
            self.feed.forget(self)

    async def read_after(self, position: Position) -> Page:
        """What follows a place, for a socket that catches up."""
        return await self.feed.read_when_reachable(
            self._user_id, position_text(position), CATCH_UP_PAGE
        )

    def _read(self) -> None:
        self._is_reading = True
        self._has_grown = False
        self.feed.fetch(self._user_id, self.position, self.take)

    def take(self, page: Page) -> None:
        """Pass on what was read."""
        self._is_reading = False
        if page.entries:
            self._pass_on(page.entries)
        self.position = page.position
        self._place = parse_position(page.position)
        if self.users and (self._has_grown or not page.is_last):
            self._read()

    def _pass_on(self, entries: Sequence[Entry]) -> None:
        frames = [encode(entry) for entry in entries]
        places = [parse_position(entry.id) for entry in entries]
        goes_back = places[0] <= self._place
        joined = frames[0] if len(frames) == 1 else b"".join(frames)
        late: list[Delivery] = []
        for delivery in self._deliveries:
            if delivery.has_backlog:
                late.append(delivery)
            elif goes_back:
                for place, frame in zip(places, frames, strict=True):
                    delivery.go_back(place, frame)
            else:
                delivery.pass_on(places, frames, joined)
        self.feed.delivered += len(frames) * (len(self._deliveries) - len(late))
        for delivery in late:
            if self._deliveries.pop(delivery, self) is None:
                delivery.catch_up()


class Fanout:
    """The hubs of the users who are connected now, one each."""

    def __init__(self, feed: Feed) -> None:
        self.hubs: dict[str, Hub] = {}
        self._feed = feed

    async def position(self, user_id: str) -> str:
        """Where a socket of this user begins that wants nothing but what comes."""
        hub = self.hubs.get(user_id)
        return hub.position if hub is not None else await self._feed.position(user_id)

    def deliver(self, user_id: str, receiver: Receiver, *, resume_at: str, end: str) -> Delivery:
        """Deliver what follows `resume_at`, until the delivery is left.

        `end` is what `position` has told.
        """
        hub = self.hubs.get(user_id)
        if hub is None:
            hub = self.hubs[user_id] = Hub(self, self._feed, user_id, end)
        delivery = Delivery(hub, receiver, parse_position(resume_at))
        hub.begin(delivery)
        return delivery


def encode(entry: Entry) -> bytes:
    """The frame that tells a client of the entry."""
    if isinstance(entry, Resync):
        return message_frame(packets.event("resync", entry.as_wire()))
    return message_frame(packets.event_of_json("job:update", entry.json_text))
