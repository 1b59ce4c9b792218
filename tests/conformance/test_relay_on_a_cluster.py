"""On a cluster, every node's feeds get each event once, whoever tells it and whatever node dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from careerlens.jobs.ids import new_job_id
from careerlens.jobs.keys import feed_key, live_key, live_member
from careerlens.realtime.appending import PositionMovedError, Steps
from careerlens.realtime.entries import RESYNC_FIELD, START, Resync
from careerlens.realtime.feed import Feed
from careerlens.realtime.ledger import DividedLedger, EraPassedError
from careerlens.realtime.relay import LEASE_S, Relay
from careerlens.wire.cluster import ClusterLink, slot_of
from careerlens.wire.keys import QueueKeys
from careerlens.wire.lease import Lease, LeaseLostError
from careerlens.wire.scripts import Script
from queue_driving import Driver
from relaying import everything, running_relay, told
from support import eventually
from topologies import Cluster, admin_of, ask, cluster

PREFIX, LEASE = "{bull}", "careerlens:relay:{echo}"
POSITION = f"{LEASE}:position"
WHOLE_LIFE = ["queued", "processing", "progress 50", "completed"]


@dataclass
class World:
    """A cluster, and a user with a feed on each of its nodes."""

    nodes: Cluster
    link: ClusterLink
    feed: Feed
    users: list[str]

    def relay(self) -> AbstractAsyncContextManager[Relay]:
        return running_relay(self.nodes.url, "echo", prefix=PREFIX)

    async def ledger(self) -> DividedLedger:
        """That of a new tenure."""
        await self.link.call("DEL", LEASE)
        lease = Lease(self.link, LEASE, duration_s=LEASE_S)
        assert await lease.acquire()
        ledger = DividedLedger(self.link, lease, QueueKeys("echo", PREFIX))
        await ledger.open()
        return ledger

    async def live_a_life(self, user: str) -> None:
        driver = Driver("echo", self.link, prefix=PREFIX)
        await driver.add(user)
        job_id, token = await driver.take()
        await driver.queue.update_progress(job_id, {"percent": 50, "message": "Half"})
        await driver.finish((job_id, token), "completed", {})

    async def ids(self, user: str) -> list[str]:
        """The ids of the whole feed."""
        return [entry.id for entry in await everything(self.feed, user)]

    async def reasons(self, user: str) -> list[str]:
        """What the entries of the feed say that ask for a resync; "" stands for an update."""
        entries = await everything(self.feed, user)
        return [entry.reason if isinstance(entry, Resync) else "" for entry in entries]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes for all tests but those that kill some."""
    with asyncio.Runner() as runner:
        made = cluster(tmp_path_factory.mktemp("cluster"))
        yield runner.run(made.__aenter__())
        runner.run(made.__aexit__(None, None, None))


@pytest.fixture
async def world(nodes: Cluster) -> AsyncIterator[World]:
    for node in nodes.primaries:
        ask(node, "FLUSHALL")
    async for world in _world(nodes):
        yield world


def _users_on_first() -> list[str]:
    return [f"user-{number}" for number in range(50) if slot_of(feed_key(f"user-{number}")) < 5461]


async def _world(nodes: Cluster) -> AsyncIterator[World]:
    link = ClusterLink(nodes.url)
    names = [f"user-{number}" for number in range(50)]
    users = [
        next(name for name in names if nodes.owner_of(feed_key(name)) is node)
        for node in nodes.primaries
    ]
    async with link, Feed(nodes.url) as feed:
        yield World(nodes, link, feed, users)


def steps_at(*sources: str, users: list[str]) -> Steps:
    """For each event an entry in the feed of each of these users."""
    steps = Steps()
    for source in sources:
        steps.source = source
        for user in users:
            steps.ask_to_resync(user, source)
    return steps


async def test_every_owner_is_told_and_woken_on_whichever_node_the_feed_is(world: World) -> None:
    async with world.relay():
        for user in world.users:
            async with aclosing(world.feed.follow(user, START)) as entries:
                await world.live_a_life(user)
                async with asyncio.timeout(10):
                    heard = [(await anext(entries)).id for _ in WHOLE_LIFE]
            assert len(set(heard)) == len(WHOLE_LIFE)
    for user in world.users:
        assert await told(world.feed, user, 4) == WHOLE_LIFE
        assert await world.link.call("ZCARD", live_key(user)) == 0


async def test_who_is_not_woken_finds_what_came_on_every_node(world: World) -> None:
    async def first_of(user: str) -> str:
        async with aclosing(world.feed.follow(user, START)) as entries:
            entry = await anext(entries)
            assert isinstance(entry, Resync)
            return entry.reason

    following = [asyncio.create_task(first_of(user)) for user in world.users]
    await eventually(lambda: len(world.feed.channels) == len(world.users))
    for user in world.users:
        await world.link.call("XADD", feed_key(user), "*", RESYNC_FIELD, user)
    async with asyncio.timeout(10):
        assert await asyncio.gather(*following) == world.users


async def test_a_relay_that_takes_over_tells_nobody_anything_twice(world: World) -> None:
    for lives in (1, 2):
        async with world.relay():
            for user in world.users:
                await world.live_a_life(user)
            for user in world.users:
                assert await told(world.feed, user, 4 * lives) == WHOLE_LIFE * lives
    await world.link.call("DEL", POSITION)
    async with world.relay():
        await world.live_a_life(world.users[0])
        assert await told(world.feed, world.users[0], 12) == WHOLE_LIFE * 3
    for user in world.users[1:]:
        assert await told(world.feed, user, 8) == WHOLE_LIFE * 2


async def test_what_was_told_before_the_position_moved_is_not_told_again(world: World) -> None:
    stopped, users = await world.ledger(), world.users
    await world.link.call("DEL", LEASE)
    with pytest.raises(LeaseLostError):
        await stopped.write(steps_at("5-0", "7-0", users=users[:2]), "7-0")
    assert await world.link.call("GET", POSITION) is None
    following = await world.ledger()
    await following.write(steps_at("5-0", users=users), "5-0")
    # One that was stopped for a while goes on where it was, with what it had read.
    with pytest.raises(LeaseLostError):
        await stopped.write(steps_at("5-0", "7-0", "8-0", users=users[1:]), "8-0")
    await following.write(steps_at("7-0", "8-0", "9-0", users=users), "9-0")
    for user in users:
        assert await world.reasons(user) == ["5-0", "7-0", "8-0", "9-0"]
    assert await world.link.call("GET", POSITION) == b"9-0 0 0-0"


async def test_a_position_that_somebody_else_moved_is_left_alone(world: World) -> None:
    ledger = await world.ledger()
    await ledger.write(steps_at("5-0", users=world.users), "5-0")
    await world.link.call("SET", POSITION, "6-0 0 0-0")
    with pytest.raises(PositionMovedError):
        await ledger.write(Steps(), "7-0")
    with pytest.raises(PositionMovedError):
        await ledger.begin_anew(Steps(), "7-0")
    assert await world.link.call("GET", POSITION) == b"6-0 0 0-0"


async def test_ids_that_come_again_in_a_new_era_are_told(world: World) -> None:
    user = world.users[0]
    old, ledger = await world.ledger(), await world.ledger()
    await ledger.write(steps_at("8-0", users=[user]), "8-0")
    await ledger.begin_anew(steps_at("4-0", users=[user]), "4-0")
    await ledger.write(steps_at("5-0", users=[user]), "5-0")
    assert await world.reasons(user) == ["8-0", "4-0", "5-0"]
    await ledger.begin_anew(steps_at("3-0", users=[user]), "3-0")
    with pytest.raises(EraPassedError):
        await old.write(steps_at("9-0", users=[user]), "9-0")
    await world.link.call("SET", POSITION, "8-0 0 0-0")
    ledger = await world.ledger()
    await ledger.begin_anew(steps_at("2-0", users=[user]), "2-0")
    assert await world.reasons(user) == ["8-0", "4-0", "5-0", "3-0", "2-0"]
    assert await world.link.call("GET", POSITION) == b"2-0 3 2-0"


async def test_missing_events_are_announced_to_owners_on_every_node(world: World) -> None:
    link, users = world.link, world.users
    async with world.relay():
        for user in users:
            await world.live_a_life(user)
            await told(world.feed, user, 4)
        for user in users:
            member = live_member("echo", str(new_job_id(user, "echo")))
            await link.call("ZADD", live_key(user), 1, member)
    job_id = str(new_job_id(users[0], "echo"))
    event = ("event", "active", "jobId", job_id, "prev", "waiting")
    await link.call("DEL", f"{PREFIX}:echo:events")
    await link.call("XADD", f"{PREFIX}:echo:events", "5-1", *event)
    async with world.relay():
        for user in users:
            await _has_grown(world, user, 5)
        await link.call("XADD", f"{PREFIX}:echo:events", "6-1", *event)
        await _has_grown(world, users[0], 6)
    for user in users:
        expected = ["", "", "", "", "events_rewound", *([""] if user == users[0] else [])]
        assert await world.reasons(user) == expected


async def test_an_old_position_that_came_back_ends_in_a_resync_and_then_goes_on(
    world: World,
) -> None:
    user = world.users[2]
    async with world.relay():
        await world.live_a_life(user)
        await told(world.feed, user, 4)
    position = (await world.link.call("GET", POSITION)).decode()
    member = live_member("echo", str(new_job_id(user, "echo")))
    await world.link.call("ZADD", live_key(user), 1, member)
    ledger = await world.ledger()
    await ledger.begin_anew(Steps(), position.partition(" ")[0])
    await ledger.write(steps_at("9999999999999-0", users=[user]), "9999999999999-0")
    await world.link.call("SET", POSITION, position)
    await world.link.call("DEL", LEASE)
    async with world.relay():
        await world.live_a_life(user)
        before = await _has_grown(world, user, 6)
        await world.live_a_life(user)
        await _has_grown(world, user, before + 4)
    assert (await world.reasons(user)).count("events_rewound") == 1


async def _has_grown(world: World, user: str, length: int) -> int:
    """How long the feed is, once it is so long."""

    async def is_long() -> int | None:
        found = int(await world.link.call("XLEN", feed_key(user)))
        return found if found >= length else None

    return await eventually(is_long) or 0


async def test_calls_of_many_slots_go_out_together_and_are_answered_in_order(world: World) -> None:
    link = world.link
    keys = [f"key-{number}" for number in range(100)]
    assert await link.call_each([("SET", key, key) for key in keys]) == [b"OK"] * 100
    assert await link.call_each([("GET", key) for key in keys]) == [key.encode() for key in keys]
    script = Script("echo", b"return KEYS[1]", b"0" * 40)
    assert await link.run_each([(script, [key], []) for key in keys]) == [
        key.encode() for key in keys
    ]
    found = [await part.call("KEYS", "key-*") for part in await link.parts()]
    assert all(found)
    assert sorted(key.decode() for part in found for key in part) == sorted(keys)
    with pytest.raises(ValueError, match="PING has no key"):
        await link.call_each([("PING",)])


async def test_what_a_node_lost_when_its_replica_took_over_is_told_again(tmp_path: Path) -> None:
    lossy = feed_key(_users_on_first()[0])
    async with cluster(tmp_path, replica_of=lossy) as nodes:
        async for world in _world(nodes):
            await _lose_the_end_of_a_feed(world)


async def _lose_the_end_of_a_feed(world: World) -> None:
    primary, replica = world.nodes.primaries[0], world.nodes.replica
    assert replica is not None
    async with world.relay():
        for user in world.users:
            await world.live_a_life(user)
            await told(world.feed, user, 4)
        with admin_of(primary) as admin, admin_of(replica) as copy:
            admin.wait(1, 5_000)
            replica.freeze()
            admin.client_kill_filter(_type="slave")
            for user in world.users:
                await world.live_a_life(user)
                await told(world.feed, user, 8)
            before = [await world.ids(user) for user in world.users]
            primary.kill()
            replica.thaw()
            await eventually(lambda: copy.info("replication")["role"] == "master", within=30)
        for user in world.users:
            assert await told(world.feed, user, 8, within=20) == WHOLE_LIFE * 2
        after = [await world.ids(user) for user in world.users]
        assert after[1:] == before[1:]
        assert after[0][:4] == before[0][:4]
        assert not {*after[0][4:]} & {*before[0]}, "they were lost, and told again"
        for user in world.users:
            await world.live_a_life(user)
            assert await told(world.feed, user, 12) == WHOLE_LIFE * 3
