"""Calls find their node of a cluster, and queues go on when slots or primaries change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.redis import connect
from careerlens.queue import Queue
from careerlens.wire import CommandRejectedError, Link, open_link
from careerlens.wire.cluster import slot_of
from careerlens.wire.connection import encode
from careerlens.wire.scripts import own_script
from careerlens.worker import ActiveJob, Worker
from queue_life import outlive
from support import Valkey, eventually, insist
from topologies import Cluster, admin_of, ask, cluster

QUEUE, PREFIX = "spread", "{bull}"


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Three primaries; the one that has the queues has a replica."""
    async with cluster(tmp_path, replica_of=PREFIX) as trio:
        yield trio


async def test_calls_go_to_the_node_of_their_key(trio: Cluster) -> None:
    async with open_link(trio.url) as link:
        keys = [f"key-{number}" for number in range(100)]
        await asyncio.gather(*(link.call("SET", key, key) for key in keys))
        replies = await asyncio.gather(*(link.call("GET", key) for key in keys))
        assert [reply.decode() for reply in replies] == keys
        assert await link.call("PING") == b"PONG"
        with pytest.raises(CommandRejectedError, match="WRONGTYPE"):
            await link.call("LPUSH", "key-1", "x")
        with pytest.raises(ValueError, match="one slot"):
            await link.call_many([("GET", key) for key in keys])
    with pytest.raises(ServiceUnavailableError, match="closed"):
        await link.call("GET", "key-1")
    for node in trio.primaries:
        with admin_of(node) as admin:
            assert 10 < admin.dbsize() < 60
            await eventually(lambda: len(admin.client_list(_type="normal")) == 1)


async def test_commands_without_a_waiter_go_to_the_node_of_their_key(trio: Cluster) -> None:
    replies: list[object] = []
    async with open_link(trio.url) as link:
        for number, node in enumerate(trio.primaries):
            key = next(key for key in "abcdefgh" if trio.owner_of(key) is node)
            payload = encode(("APPEND", key, "x"))
            assert not link.post(payload, replies.append, key=key), "no call has led there yet"
            assert await link.call("APPEND", key, "x") == 1
            assert link.post(payload, replies.append, key=key)
            await eventually(lambda: len(replies) == number + 1)  # noqa: B023
    assert replies == [2, 2, 2]


def test_slots_are_those_of_the_servers() -> None:
    """From the specification of Redis Cluster, and its rule on braces."""
    assert slot_of("123456789") == 0x31C3
    assert (
        slot_of("{user1000}.following") == slot_of(b"{user1000}.followers") == slot_of("user1000")
    )
    assert slot_of("foo{}{bar}") != slot_of("bar")
    assert slot_of("foo{{bar}}zap") == slot_of("{bar")


async def test_scripts_reach_nodes_that_have_never_seen_them(trio: Cluster) -> None:
    script = own_script("snapshot")
    async with open_link(trio.url) as link:
        for number in range(12):
            keys = [f"{{tag-{number}}}:{index}" for index in range(9)]
            assert await link.run_many([(script, keys, ["job"])] * 2) == [[b"unknown", []]] * 2
            assert await link.run(script, keys, ["job"]) == [b"unknown", []]


async def test_a_queue_without_hash_tag_is_refused_with_the_remedy(trio: Cluster) -> None:
    async def work(job: ActiveJob) -> None: ...

    async with open_link(trio.url) as link:
        with pytest.raises(ConfigurationError, match=r"CAREERLENS_QUEUE_PREFIX.*\{bull\}"):
            Queue(QUEUE, link)
    with pytest.raises(ConfigurationError, match=r"CAREERLENS_QUEUE_PREFIX.*\{bull\}"):
        Worker(QUEUE, work, redis_url=trio.url)


async def test_a_server_of_its_own_is_no_cluster(redis_url: str) -> None:
    link = open_link(redis_url.replace("redis://", "redis+cluster://").removesuffix("/0"))
    with pytest.raises(ConfigurationError, match=r"REDIS_URL.*no node of a cluster"):
        await link.connect()
    await link.close()


async def test_parts_that_cannot_use_a_cluster_say_so() -> None:
    for open_it in (Link, connect):
        with pytest.raises(ConfigurationError, match=r"REDIS_URL.*cluster"):
            open_it("redis+cluster://127.0.0.1:1")


async def test_a_node_of_a_cluster_taken_for_a_server_of_its_own_is_explained(
    trio: Cluster,
) -> None:
    elsewhere = next(node for node in trio.primaries if node is not trio.owner_of("key"))
    async with Link(elsewhere.url) as link:
        with pytest.raises(CommandRejectedError, match=r"redis\+cluster://"):
            await link.call("GET", "key")


async def test_a_link_enters_by_any_node_that_lives(trio: Cluster) -> None:
    dead, *_ = trio.primaries
    key = next(key for key in ("a", "b", "c", "d") if trio.owner_of(key) is not dead)
    dead.kill()
    async with open_link(trio.url) as link:
        assert await insist(lambda: link.call("SET", key, "x")) == b"OK"


async def test_a_slot_half_moved_is_asked_for_on_both_sides(trio: Cluster) -> None:
    """One key at a time, that is: a script, which needs many, has to wait until it is there."""
    slot, here = trio.slot_of("{m}"), trio.owner_of("{m}")
    there = next(node for node in trio.primaries if node is not here)
    script = own_script("snapshot")
    async with open_link(trio.url) as link:
        await link.call("SET", "{m}old", "1")
        ask(there, "CLUSTER", "SETSLOT", slot, "IMPORTING", trio.id_of(here))
        ask(here, "CLUSTER", "SETSLOT", slot, "MIGRATING", trio.id_of(there))
        assert await link.call("GET", "{m}old") == b"1"
        assert await link.call("SET", "{m}new", "2") == b"OK"
        assert await link.call_many([("GET", "{m}new"), ("GET", "{m}old")]) == [b"2", b"1"]
        keys = [f"{{m}}{number}" for number in range(9)]
        with pytest.raises(ServiceUnavailableError, match="TRYAGAIN"):
            await link.run(script, keys, ["job"])
        ask(here, "MIGRATE", "127.0.0.1", there.port, "{m}old", 0, 5_000)
        for node in (there, here):
            ask(node, "CLUSTER", "SETSLOT", slot, "NODE", trio.id_of(there))
        assert await link.call_many([("GET", "{m}new"), ("GET", "{m}old")]) == [b"2", b"1"]
        assert await link.call_many([("MULTI",), ("GET", "{m}new"), ("EXEC",)]) == [
            b"OK",
            b"QUEUED",
            [b"2"],
        ]
        assert await link.run(script, keys, ["job"]) == [b"unknown", []]


async def test_jobs_survive_the_move_of_their_slot(trio: Cluster) -> None:
    slot, here = trio.slot_of(PREFIX), trio.owner_of(PREFIX)
    there = next(node for node in trio.primaries if node is not here)

    async def move(link: Link) -> None:
        command = ("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", trio.id_of(there))
        ask(here, *command)
        await eventually(lambda: str(slot) in owned_by(there))

    await outlive(trio.url, move, prefix=PREFIX)


@pytest.mark.parametrize("how", ["in order", "by a crash"])
async def test_replicated_jobs_survive_a_failover(trio: Cluster, how: str) -> None:
    replica = trio.replica
    assert replica is not None

    async def fail_over(link: Link) -> None:
        if how == "in order":
            ask(replica, "CLUSTER", "FAILOVER")
        else:
            trio.owner_of(PREFIX).kill()
        await eventually(lambda: is_primary(replica), within=30)

    await outlive(trio.url, fail_over, prefix=PREFIX)


def owned_by(node: Valkey) -> list[str]:
    """The slots and ranges of slots that a node says it has."""
    line = next(
        line for line in str(ask(node, "CLUSTER", "NODES")).splitlines() if "myself" in line
    )
    return line.split()[8:]


def is_primary(node: Valkey) -> bool:
    with admin_of(node) as admin:
        return bool(admin.info("replication")["role"] == "master")
