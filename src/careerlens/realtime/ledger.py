"""Where the relay of a queue writes what it tells, and how far it has told.

On one server entries and position move in one step. On a cluster they lie on different nodes:

    tell each owner, on their own node ──▶ move the position ──▶ …
      an event that was told is left out       only while the lease is ours

so that whoever begins again from the position, after whatever fault, tells nobody anything twice.
Nodes also lose what they wrote last, each for itself, when a replica takes their place. The next
tenure therefore begins some seconds before the position: who was told is not told again, and who
has lost it is. A new era begins where the queue's own stream has lost entries, since ids that come
after may not be greater than those that were told before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from careerlens.foundation.errors import CareerLensError
from careerlens.jobs.keys import feed_key, live_key, told_key, wake_channel
from careerlens.realtime.appending import LUA, Steps, apply
from careerlens.realtime.feed import FEED_LENGTH, FEED_SECONDS
from careerlens.wire.cluster import ClusterLink
from careerlens.wire.events import START, stream_position
from careerlens.wire.keys import QueueKeys
from careerlens.wire.lease import Lease
from careerlens.wire.link import Call, Link
from careerlens.wire.scripts import own_script

# A node that is away is replaced after its cluster-node-timeout, 15 s by default.
LOOK_BACK_MS = 30_000
_WATCH_INTERVAL_S = 1.0


def position_key(queue: str) -> str:
    """String that tells how far a queue's events are relayed."""
    return f"careerlens:relay:{{{queue}}}:position"


class EraPassedError(CareerLensError):
    """Somebody was told of a later era than ours: our position is an old one."""

    def __init__(self, era: int) -> None:
        super().__init__(f"a feed has entries of era {era}")
        self.era = era


class NodesChangedError(CareerLensError):
    """Another node has taken some slots, or one came back: what was told may have been lost."""

    def __init__(self) -> None:
        super().__init__("the nodes of the cluster have changed")


class Ledger:
    """For one server. `open` it when the lease was taken."""

    def __init__(self, link: Link, lease: Lease, keys: QueueKeys) -> None:
        self._link = link
        self._lease = lease
        self._keys = keys
        self._position_key = position_key(keys.queue)
        self._stored: str | None = None

    async def open(self) -> str:
        """The position to read events from."""
        stored = await self._link.call("GET", self._position_key)
        self._stored = stored.decode() if stored else None
        return self._stored or START

    async def write(self, steps: Steps, moved_to: str) -> int:
        """Do the steps and move the position; returns how many entries were appended.

        Raises `LeaseLostError` or `PositionMovedError` when somebody else relays this queue now,
        and `EraPassedError`.
        """
        return await self._move(steps, moved_to)

    async def begin_anew(self, steps: Steps, resumed_at: str) -> int:
        """As `write`, where events between the position and `resumed_at` are missing."""
        return await self._move(steps, resumed_at)

    async def watch(self) -> None:
        """Raise `NodesChangedError` once what was written may have been lost in part."""

    async def _move(self, steps: Steps, moved_to: str) -> int:
        appended = await apply(
            self._link,
            self._lease,
            self._position_key,
            steps,
            expected=self._stored,
            moved_to=moved_to,
        )
        self._stored = moved_to
        return appended


@dataclass(frozen=True, slots=True)
class _Position:
    """`began`: where the era began; what came before it is of an earlier one."""

    id: str = START
    era: int = 0
    began: str = START

    @classmethod
    def parse(cls, text: str) -> _Position:
        entry_id, _, rest = text.partition(" ")
        era, _, began = rest.partition(" ")
        return cls(entry_id, int(era or 0), began or entry_id)

    def __str__(self) -> str:
        return f"{self.id} {self.era} {self.began}"


class DividedLedger(Ledger):
    """For a cluster."""

    def __init__(self, link: ClusterLink, lease: Lease, keys: QueueKeys) -> None:
        super().__init__(link, lease, keys)
        self._nodes = link
        self._position = _Position()
        self._last_era = 0

    async def open(self) -> str:
        """As `Ledger.open`."""
        await super().open()
        self._position = _Position.parse(self._stored) if self._stored else _Position()
        self._last_era = self._position.era
        return await self._looking_back() if self._stored else START

    async def write(self, steps: Steps, moved_to: str) -> int:
        """As `Ledger.write`."""
        appended = await self._tell(steps, self._position.era)
        # What is looked back at is behind the position, which stays.
        if stream_position(moved_to) > stream_position(self._position.id):
            self._position = replace(self._position, id=moved_to)
            await self._move(Steps(), str(self._position))
        return appended

    async def begin_anew(self, steps: Steps, resumed_at: str) -> int:
        """As `Ledger.begin_anew`."""
        # Whoever is not in charge any more must not make everybody else's era a past one.
        await self._move(Steps(), str(self._position))
        try:
            appended = await self._tell(steps, self._last_era + 1)
        except EraPassedError:
            appended = await self._tell(steps, self._last_era + 1)
        self._last_era += 1
        self._position = _Position(resumed_at, self._last_era, resumed_at)
        await self._move(Steps(), str(self._position))
        return appended

    async def watch(self) -> None:
        """As `Ledger.watch`."""
        layout = await self._nodes.layout()
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            before, layout = layout, await self._nodes.layout()
            if before.has_changed(layout):
                raise NodesChangedError

    async def _tell(self, steps: Steps, era: int) -> int:
        calls = [self._telling(owner, era, share) for owner, share in steps.shares().items()]
        replies = [int(reply) for reply in await self._link.run_each(calls)]
        if replies and (lowest := min(replies)) < 0:
            self._last_era = -lowest
            raise EraPassedError(-lowest)
        return sum(replies)

    def _telling(self, owner: str, era: int, share: list[str | int]) -> Call:
        keys = [feed_key(owner), live_key(owner), told_key(owner)]
        channel = wake_channel(owner)
        args = [self._keys.queue, era, FEED_LENGTH, FEED_SECONDS, channel, *share]
        return own_script("relay-tell", LUA), keys, args

    async def _looking_back(self) -> str:
        """An earlier position in the same era; ours itself where the stream has lost that."""
        position, stream = self._position, self._keys.events
        milliseconds = max(stream_position(position.id)[0] - LOOK_BACK_MS, 0)
        since = max(f"{milliseconds}-0", position.began, key=stream_position)
        here, earlier = await self._link.call_many(
            [
                ("XRANGE", stream, position.id, position.id),
                ("XRANGE", stream, since, position.id, "COUNT", 1),
            ]
        )
        return str(earlier[0][0].decode()) if here else position.id


def ledger_of(link: Link, lease: Lease, keys: QueueKeys) -> Ledger:
    """The ledger that fits what the link leads to."""
    if isinstance(link, ClusterLink):
        return DividedLedger(link, lease, keys)
    return Ledger(link, lease, keys)
