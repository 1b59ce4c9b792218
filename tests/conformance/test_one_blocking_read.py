"""All queues are waited for by one blocking read, and each is told of as if it were alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from careerlens.realtime.feed import Feed
from careerlens.wire import EventReader, EventStreams, Link, QueueEvent, QueueKeys, waiting
from careerlens.wire.cluster import ClusterLink
from careerlens.wire.connection import Arg
from conftest import ValkeyFactory
from queue_driving import Driver
from relaying import running_relay, told
from support import eventually
from topologies import cluster

QUEUES = [f"echo{number}" for number in range(5)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read blocks for a minute and nobody looks again by themselves: whoever comes wakes it."""
    monkeypatch.setattr(waiting, "_BLOCK_S", 60.0)
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 60.0)


async def clients(link: Link, name: str) -> list[str]:
    """How the server lists the connections whose names begin so."""
    listed = (await link.call("CLIENT", "LIST")).decode().splitlines()
    return [line for line in listed if f" name={name}" in line]


async def blocked(link: Link, count: int = 1) -> bool:
    """Whether so many connections wait for entries."""
    info = (await link.call("INFO", "clients")).decode()
    return f"blocked_clients:{count}\r\n" in info


async def add(link: Link, queue: str, number: int) -> None:
    await link.call("XADD", QueueKeys(queue).events, "*", "event", "added", "jobId", str(number))


class Following:
    """Reads a queue's events, as tasks of a relay do."""

    def __init__(self, streams: EventStreams, queue: str) -> None:
        self.events: list[QueueEvent] = []
        self.task = asyncio.create_task(self._follow(EventReader(streams, QueueKeys(queue))))

    async def _follow(self, reader: EventReader) -> None:
        async for item in reader:
            assert isinstance(item, list), item
            self.events += item

    async def has(self, count: int) -> None:
        await eventually(lambda: len(self.events) == count)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_relay_has_one_connection_that_blocks_for_all_its_queues(
    redis_url: str, link: Link
) -> None:
    async with running_relay(redis_url, *QUEUES) as relay, Feed(redis_url) as feed:
        await eventually(lambda: relay.leading == set(QUEUES))
        for told_before in range(2):
            for number, queue in enumerate(QUEUES):
                await Driver(queue, link).add("ada")
                await told(feed, "ada", told_before * len(QUEUES) + number + 1)
        await eventually(lambda: blocked(link))
        listed = await clients(link, "careerlens:relay")
        assert len(listed) == 3
        assert ["cmd=xread" in line for line in listed].count(True) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_queue_that_is_taken_on_while_others_are_waited_for_is_heard(
    redis_url: str, link: Link
) -> None:
    async with EventStreams(redis_url) as streams:
        followed: list[Following] = []
        for number, queue in enumerate(QUEUES):
            followed.append(Following(streams, queue))
            await eventually(lambda: blocked(link))
            # Each alone, so that nothing else lets the read return; and again, as in rounds.
            for one, its_queue in reversed(list(zip(followed, QUEUES, strict=False))):
                for _ in range(3):
                    before = len(one.events)
                    await add(link, its_queue, number)
                    await one.has(before + 1)
        for one in followed:
            await one.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_queue_that_is_given_up_holds_up_nobody(redis_url: str, link: Link) -> None:
    async with EventStreams(redis_url) as streams:
        given_up, kept = Following(streams, "one"), Following(streams, "two")
        await eventually(lambda: blocked(link))
        await given_up.stop()
        await add(link, "one", 1)
        await add(link, "two", 1)
        await kept.has(1)
        assert given_up.events == []
        again = Following(streams, "one")
        await again.has(1)
        for one in (again, kept):
            await one.stop()


@pytest.mark.usefixtures("impatient")
async def test_many_queues_at_once_lose_and_double_nothing(redis_url: str, link: Link) -> None:
    async with EventStreams(redis_url) as streams:
        followed = [Following(streams, queue) for queue in QUEUES]
        for number in range(200):
            for queue in QUEUES[: 1 + number % len(QUEUES)]:
                await add(link, queue, number)
        expected = [
            [str(number) for number in range(200) if number % len(QUEUES) >= index]
            for index in range(len(QUEUES))
        ]
        for one, numbers in zip(followed, expected, strict=True):
            await one.has(len(numbers))
            assert [event.job_id for event in one.events] == numbers
            await one.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_relay_of_a_cluster_hears_all_its_queues(tmp_path: Path) -> None:
    async with (
        cluster(tmp_path) as nodes,
        ClusterLink(nodes.url) as link,
        running_relay(nodes.url, *QUEUES, prefix="{bull}") as relay,
        Feed(nodes.url) as feed,
    ):
        await eventually(lambda: relay.leading == set(QUEUES))
        for count, queue in enumerate(sorted(QUEUES * 2), start=1):
            await Driver(queue, link, prefix="{bull}").add("ada")
            await told(feed, "ada", count)


async def test_where_no_call_may_be_unblocked_all_are_heard_all_the_same(
    valkey_factory: ValkeyFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 60.0)
    server = valkey_factory()
    async with Link(server.url) as link:
        for refused in ("-client|unblock", "-client|id"):
            user: list[Arg] = ["ACL", "SETUSER", "poor", "reset", "on", ">secret", "~*", "+@all"]
            await link.call(*user, refused)
            url = f"redis://poor:secret@127.0.0.1:{server.port}"
            queues = [f"{refused}{number}" for number in range(2)]
            async with EventStreams(url) as streams:
                followed = [Following(streams, queue) for queue in queues]
                for number in range(5):
                    for queue, one in zip(queues, followed, strict=True):
                        await add(link, queue, number)
                        await one.has(number + 1)
                for one in followed:
                    await one.stop()


async def test_a_queue_whose_stream_is_none_holds_up_no_other(redis_url: str, link: Link) -> None:
    """Whoever may write to the server can put anything under that key."""
    spoilt = QueueKeys("spoilt").events
    async with running_relay(redis_url, "echo", "spoilt") as relay, Feed(redis_url) as feed:
        await eventually(lambda: relay.leading == {"echo", "spoilt"})
        await link.call("SET", spoilt, "no stream")
        for count in range(1, 4):
            await Driver("echo", link).add("ada")
            await told(feed, "ada", count)
        await eventually(lambda: relay.leading == {"echo"})
        await link.call("DEL", spoilt)
        await Driver("spoilt", link).add("ada")
        await told(feed, "ada", 4)
