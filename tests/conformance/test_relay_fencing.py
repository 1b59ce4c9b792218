"""Only the holder of the lease moves a queue's position, and only from where it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from careerlens.jobs.keys import feed_key, live_key
from careerlens.realtime.appending import PositionMovedError, Steps, apply
from careerlens.realtime.relay import LEASE_S
from careerlens.wire.lease import Lease, LeaseLostError
from careerlens.wire.link import Link

POSITION = "careerlens:relay:{echo}:position"


@dataclass
class World:
    link: Link
    lease: Lease

    async def apply(self, *, expected: str | None, moved_to: str) -> int:
        steps = Steps()
        steps.ask_to_resync("ada", "events_trimmed")
        steps.index("ada", "echo/1", 1)
        return await apply(
            self.link, self.lease, POSITION, steps, expected=expected, moved_to=moved_to
        )

    async def traces(self) -> tuple[int, int, bytes | None]:
        """How many entries and live jobs ada has, and the position."""
        return (
            await self.link.call("XLEN", feed_key("ada")),
            await self.link.call("ZCARD", live_key("ada")),
            await self.link.call("GET", POSITION),
        )


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    async with Link(redis_url) as link:
        lease = Lease(link, "careerlens:relay:{echo}", duration_s=LEASE_S)
        assert await lease.acquire()
        yield World(link, lease)


async def test_the_holder_appends_and_moves_in_one_step(world: World) -> None:
    assert await world.apply(expected=None, moved_to="5-0") == 1
    assert await world.apply(expected="5-0", moved_to="9-0") == 1
    assert await world.traces() == (2, 1, b"9-0")


@pytest.mark.parametrize("holder", ["somebody else", None])
async def test_without_the_lease_nothing_happens(world: World, holder: str | None) -> None:
    await world.link.call("DEL", world.lease.key)
    if holder is not None:
        await world.link.call("SET", world.lease.key, holder)
    with pytest.raises(LeaseLostError):
        await world.apply(expected=None, moved_to="5-0")
    assert await world.traces() == (0, 0, None)


@pytest.mark.parametrize("expected", [None, "4-0", "50-0"])
async def test_a_repeated_or_outdated_step_does_nothing(world: World, expected: str | None) -> None:
    await world.apply(expected=None, moved_to="5-0")
    with pytest.raises(PositionMovedError):
        await world.apply(expected=expected, moved_to="9-0")
    assert await world.traces() == (1, 1, b"5-0")


async def test_a_lease_is_for_one_and_an_earlier_tenure_counts_no_more(world: World) -> None:
    other = Lease(world.link, world.lease.key, duration_s=LEASE_S)
    assert not await other.acquire()
    await other.release()
    earlier = world.lease.token
    await world.lease.release()
    assert await world.lease.acquire()
    assert world.lease.token != earlier
    world.lease.token = earlier
    with pytest.raises(LeaseLostError):
        await world.apply(expected=None, moved_to="5-0")
    with pytest.raises(LeaseLostError):
        await world.lease.keep()


async def test_a_working_holder_keeps_its_lease_by_working(world: World) -> None:
    await world.link.call("PEXPIRE", world.lease.key, 100)
    await world.apply(expected=None, moved_to="5-0")
    assert await world.link.call("PTTL", world.lease.key) > 1_000
