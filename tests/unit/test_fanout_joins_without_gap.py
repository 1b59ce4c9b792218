"""Sockets that catch up and the hub that reads on overlap in every way, and nobody notices."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest

from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.entries import (
    UPDATE_FIELD,
    Entry,
    Resync,
    decode_entry,
    encode_update,
    parse_position,
)
from careerlens.realtime.fanout import Delivery, Fanout, encode
from careerlens.realtime.feed import Feed, Page
from careerlens.realtime.wakeups import Interest
from support import eventually


def entry(number: int) -> Entry:
    update = JobUpdate(
        id="", job_id="job", type="echo", event=JobEventKind.QUEUED, status=JobStatus.QUEUED,
        timestamp=number,
    )  # fmt: skip
    return decode_entry(f"{number}-0", {UPDATE_FIELD: encode_update(update)})


class SlowFeed(Feed):
    """A feed in memory whose answers are some turns of the loop old when they arrive."""

    def __init__(self, chance: random.Random) -> None:
        self.entries: list[Entry] = []
        self.delivered = 0
        self._chance = chance
        self._interests: set[Interest] = set()
        self._fetching: set[asyncio.Task[None]] = set()

    def grow(self, new: Entry) -> None:
        """Append an entry."""
        self.entries.append(new)
        for interest in self._interests:
            interest.wake()

    def attend(self, watch: Interest) -> None:
        self._interests.add(watch)
        watch.wake()

    def forget(self, watch: Interest) -> None:
        self._interests.discard(watch)

    def fetch(self, user_id: str, after: str, take: Callable[[Page], None]) -> None:
        async def fetch() -> None:
            take(await self.read_when_reachable(user_id, after))

        task = asyncio.create_task(fetch())
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def read_when_reachable(self, user_id: str, after: str, limit: int = 256) -> Page:
        rows = self._after(after)[: min(limit, self._chance.randint(1, 5))]
        is_last = len(rows) == len(self._after(after))
        for _ in range(self._chance.randint(0, 6)):
            await asyncio.sleep(0)
        return Page(entries=rows, position=rows[-1].id if rows else after, is_last=is_last)

    def _after(self, position: str) -> list[Entry]:
        return [one for one in self.entries if parse_position(one.id) > parse_position(position)]


class Socket:
    """A socket with room for a few entries, which reads now and then."""

    def __init__(self, room: int = 10_000) -> None:
        self.received: list[bytes] = []
        self._unread = 0
        self._room = room
        self._has_room = asyncio.Event()

    @property
    def has_backlog(self) -> bool:
        return self._unread >= self._room

    def send_entries(self, frames: Sequence[bytes], joined: bytes) -> None:
        assert not self.has_backlog, "sent more than there was room for"
        assert joined == b"".join(frames)
        self.received += frames
        self._unread += len(frames)

    async def room(self) -> bool:
        while self.has_backlog:
            self._has_room.clear()
            await self._has_room.wait()
        return True

    def give_up(self) -> None:
        raise AssertionError("the feed failed")

    def read(self) -> None:
        """Read everything."""
        self._unread = 0
        self._has_room.set()


@pytest.mark.parametrize("seed", range(60))
async def test_each_socket_gets_each_entry_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    feed, total = SlowFeed(chance), 120
    fanout = Fanout(feed)
    sockets = [(Socket(chance.choice([1, 3, 10_000])), chance.randint(0, total)) for _ in range(8)]
    deliveries: list[Delivery] = []

    def join(socket: Socket, moment: int) -> None:
        resume_at = f"{chance.randint(0, moment)}-0" if moment else "0-0"
        end = feed.entries[-1].id if feed.entries else "0-0"
        first = parse_position(resume_at)[0] + 1
        expected[socket] = [encode(entry(number)) for number in range(first, total + 1)]
        deliveries.append(fanout.deliver("ada", socket, resume_at=resume_at, end=end))

    expected: dict[Socket, list[bytes]] = {}
    for number in range(total + 1):
        for socket, moment in sockets:
            if moment == number:
                join(socket, moment)
        if number < total:
            feed.grow(entry(number + 1))
        for socket, _ in sockets:
            if chance.random() < 0.5:
                socket.read()
        for _ in range(chance.randint(0, 3)):
            await asyncio.sleep(0)

    def all_read() -> bool:
        for socket, _ in sockets:
            socket.read()
        return all(len(got.received) >= len(want) for got, want in expected.items())

    await eventually(all_read, every=0)
    for delivery in deliveries:
        delivery.leave()
    for socket, want in expected.items():
        assert socket.received == want


async def test_a_feed_that_lost_its_end_is_followed_from_there() -> None:
    feed = SlowFeed(random.Random(1))
    fanout, socket = Fanout(feed), Socket()
    delivery = fanout.deliver("ada", socket, resume_at="9-0", end="9-0")
    feed.grow(entry(10))
    await eventually(lambda: len(socket.received) == 1)
    rewound = Resync(id="4-0", reason="position_not_retained")
    hub = fanout.hubs["ada"]
    hub.take(Page(entries=[rewound], position="4-0", is_last=True))
    hub.take(Page(entries=[entry(5)], position="5-0", is_last=True))
    assert socket.received[1:] == [encode(rewound), encode(entry(5))]
    delivery.leave()
