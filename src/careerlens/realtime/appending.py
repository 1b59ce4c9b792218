"""What a batch of events does to feeds and live indexes, applied with the position in one step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from careerlens.foundation.errors import CareerLensError
from careerlens.jobs.keys import feed_key, live_key, wake_channel
from careerlens.realtime.entries import RESYNC_FIELD, UPDATE_FIELD
from careerlens.realtime.feed import FEED_LENGTH, FEED_SECONDS
from careerlens.wire.lease import Lease, LeaseLostError
from careerlens.wire.link import Link
from careerlens.wire.scripts import own_script

LUA = Path(__file__).parent / "lua"
_LEASE_LOST, _POSITION_MOVED = -1, -2


class PositionMovedError(CareerLensError):
    """The stored position is not where we left it: read it again before going on."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the position {key} was moved by somebody else")
        self.key = key


@dataclass(slots=True)
class Steps:
    """What is to be done, in order, for any number of owners."""

    source: str = ""
    """Id of the event that the steps added next come from."""
    resyncs: list[str] = field(default_factory=list)
    """Why owners are asked to resync."""
    _owners: dict[str, int] = field(default_factory=dict)
    _steps: list[str | int] = field(default_factory=list)
    _sources: list[str] = field(default_factory=list)

    def append(self, owner: str, update: str) -> None:
        """Tell the owner what `encode_update` has encoded."""
        self._add(owner, "append", UPDATE_FIELD, update)

    def ask_to_resync(self, owner: str, reason: str) -> None:
        """Tell the owner that entries are missing."""
        self._add(owner, "append", RESYNC_FIELD, reason)
        self.resyncs.append(reason)

    def index(self, owner: str, member: str, created_at_ms: int) -> None:
        """Put a job among the owner's live ones."""
        self._add(owner, "index", member, str(created_at_ms))

    def drop(self, owner: str, member: str) -> None:
        """Take a job out of the owner's live ones."""
        self._add(owner, "drop", member, "")

    def _add(self, owner: str, kind: Literal["append", "index", "drop"], a: str, b: str) -> None:
        number = self._owners.setdefault(owner, len(self._owners) + 1)
        self._steps += [number, kind, a, b]
        self._sources.append(self.source)

    def arguments(self) -> tuple[list[str], list[str | int]]:
        """Keys and values as `lua/relay-append.lua` wants them after its fixed ones."""
        keys = [key for owner in self._owners for key in (feed_key(owner), live_key(owner))]
        channels: list[str | int] = [wake_channel(owner) for owner in self._owners]
        return keys, [len(self._owners), *channels, *self._steps]

    def shares(self) -> dict[str, list[str | int]]:
        """The steps of each owner, four values each: source, kind, a, b."""
        owners = list(self._owners)
        shares: dict[str, list[str | int]] = {owner: [] for owner in owners}
        for index, source in enumerate(self._sources):
            number, *step = self._steps[4 * index : 4 * index + 4]
            shares[owners[int(number) - 1]] += [source, *step]
        return shares


async def apply(
    link: Link,
    lease: Lease,
    position_key: str,
    steps: Steps,
    *,
    expected: str | None,
    moved_to: str,
) -> int:
    """Do the steps and move the position from `expected` to `moved_to`, all or nothing.

    Returns how many entries were appended. Raises `LeaseLostError` or `PositionMovedError` when
    somebody else relays this queue now.
    """
    keys, values = steps.arguments()
    reply = int(
        await link.run(
            own_script("relay-append", LUA),
            [lease.key, position_key, *keys],
            [
                lease.token,
                expected or "",
                moved_to,
                lease.duration_ms,
                FEED_LENGTH,
                FEED_SECONDS,
                *values,
            ],
        )
    )
    if reply == _LEASE_LOST:
        raise LeaseLostError(lease.key, "it ran out")
    if reply == _POSITION_MOVED:
        raise PositionMovedError(position_key)
    return reply
