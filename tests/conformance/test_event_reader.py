"""The event reader misses nothing, and says so when something is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import redis.asyncio

from careerlens.queue import JobOptions, Queue
from careerlens.wire import (
    EventReader,
    EventStreams,
    Gap,
    GapKind,
    Link,
    QueueEvent,
    QueueKeys,
    last_position,
)
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.events import START
from support import Valkey, insist

KEYS = QueueKeys("reading")


@asynccontextmanager
async def reading(url: str, position: str = START) -> AsyncIterator[EventReader]:
    async with EventStreams(url) as streams:
        yield EventReader(streams, KEYS, position)


async def next_item(reader: EventReader) -> list[QueueEvent] | Gap:
    async with asyncio.timeout(10):
        return await anext(reader)


async def read_until(reader: EventReader, count: int) -> list[QueueEvent]:
    events: list[QueueEvent] = []
    while len(events) < count:
        item = await next_item(reader)
        assert not isinstance(item, Gap), item
        events += item
    return events


async def test_reads_history_and_then_what_happens(redis_url: str, link: Link) -> None:
    queue = Queue("reading", link)
    first = await queue.add("reading", {})
    async with reading(redis_url) as reader:
        history = await read_until(reader, 2)
        second = await queue.add("reading", {})
        live = await read_until(reader, 2)
    assert [(event.name, event.job_id) for event in history + live] == [
        ("added", first),
        ("waiting", first),
        ("added", second),
        ("waiting", second),
    ]


async def test_an_item_not_worked_off_is_read_again(redis_url: str, link: Link) -> None:
    await Queue("reading", link).add("reading", {})
    async with reading(redis_url) as reader:
        item = await next_item(reader)
        position = reader.position
    async with reading(redis_url, position) as reader:
        assert await next_item(reader) == item


async def test_starting_at_the_last_position_sees_only_the_new(redis_url: str, link: Link) -> None:
    queue = Queue("reading", link)
    await queue.add("reading", {})
    position = await last_position(link, KEYS)
    job_id = await queue.add("reading", {})
    async with reading(redis_url, position) as reader:
        events = await read_until(reader, 2)
    assert {event.job_id for event in events} == {job_id}


async def test_a_trim_past_the_position_is_a_gap(redis_url: str, link: Link) -> None:
    queue = Queue("reading", link)
    await queue.add("reading", {})
    position = await last_position(link, KEYS)
    await queue.add("reading", {})
    job_id = await queue.add("reading", {})
    await link.call("XTRIM", KEYS.events, "MAXLEN", 2)
    async with reading(redis_url, position) as reader:
        gap = await next_item(reader)
        assert isinstance(gap, Gap)
        assert gap.kind is GapKind.TRIMMED
        assert gap.after == position
        assert {event.job_id for event in await read_until(reader, 2)} == {job_id}


async def test_a_reader_from_the_start_of_a_trimmed_stream_has_a_gap(
    redis_url: str, link: Link
) -> None:
    queue = Queue("reading", link)
    await queue.add("reading", {})
    await queue.add("reading", {})
    await link.call("XTRIM", KEYS.events, "MAXLEN", 1)
    async with reading(redis_url) as reader:
        assert isinstance(await next_item(reader), Gap)


@pytest.mark.parametrize(
    ("position", "last", "kind"),
    [
        ("100-9", "100-10", GapKind.TRIMMED),
        ("99-0", "100-0", GapKind.TRIMMED),
        ("100-10", "100-9", GapKind.REWOUND),
        ("100-0", "99-0", GapKind.REWOUND),
    ],
)
async def test_places_are_compared_as_numbers(
    redis_url: str, link: Link, position: str, last: str, kind: GapKind
) -> None:
    """As text, 9 would come after 10."""
    await link.call("XADD", KEYS.events, last, "event", "added", "jobId", "1")
    async with reading(redis_url, position) as reader:
        gap = await next_item(reader)
        assert isinstance(gap, Gap)
        assert gap.kind is kind


async def test_a_position_ahead_of_the_stream_goes_back(redis_url: str, link: Link) -> None:
    """As after a power cut that lost the tail."""
    for entry in ("100-9", "100-10"):
        await link.call("XADD", KEYS.events, entry, "event", "added", "jobId", "1")
    async with reading(redis_url, "100-11") as reader:
        gap = await next_item(reader)
        assert gap == Gap(GapKind.REWOUND, "100-11", "100-10")
        await link.call("XADD", KEYS.events, "100-11", "event", "waiting", "jobId", "1")
        assert [event.id for event in await read_until(reader, 1)] == ["100-11"]


async def test_a_flushed_server_is_a_gap_and_then_a_new_start(redis_url: str, link: Link) -> None:
    queue = Queue("reading", link)
    await queue.add("reading", {})
    position = await last_position(link, KEYS)
    await link.call("FLUSHALL")
    async with reading(redis_url, position) as reader:
        gap = await next_item(reader)
        assert isinstance(gap, Gap)
        assert gap.kind is GapKind.REWOUND
        await queue.add("reading", {})
        assert len(await read_until(reader, 2)) == 2


async def test_clean_restarts_are_no_gap(redis_url: str, link: Link) -> None:
    queue = Queue("reading", link)
    position, seen = "0-0", 0
    for _ in range(30):
        await queue.add("reading", {})
        async with reading(redis_url, position) as reader:
            events = await read_until(reader, 2)
            seen += len(events)
            position = reader.position_after(events)
    assert seen == 60


async def test_a_key_that_is_no_stream_is_refused(redis_url: str, link: Link) -> None:
    """Whoever may write to the server can put anything there."""
    await link.call("SET", KEYS.events, "no stream")
    async with reading(redis_url) as reader:
        with pytest.raises(CommandRejectedError, match="WRONGTYPE"):
            await next_item(reader)


async def test_survives_cut_connections_and_a_restart(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory(durable=True, appendfsync="always")
    admin = redis.asyncio.Redis.from_url(server.url)
    async with admin, Link(server.url) as link, reading(server.url) as reader:
        queue = Queue("reading", link)
        await queue.add("reading", {})
        await read_until(reader, 2)
        upcoming = asyncio.create_task(read_until(reader, 2))
        await admin.client_kill_filter(_type="normal", skipme=True)
        await insist(lambda: queue.add("reading", {}, JobOptions(job_id="after-the-cut")))
        assert {event.job_id for event in await upcoming} == {"after-the-cut"}
        server.restart()
        await insist(lambda: queue.add("reading", {}, JobOptions(job_id="after-the-restart")))
        assert {event.job_id for event in await read_until(reader, 2)} == {"after-the-restart"}
