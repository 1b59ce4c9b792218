"""A feed yields a user's entries in order, each once, through lost wake-ups and lost servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from careerlens.foundation.redis import connect
from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.entries import (
    RESYNC_FIELD,
    UPDATE_FIELD,
    MalformedPositionError,
    Resync,
    encode_update,
)
from careerlens.realtime.feed import Feed
from support import Valkey, eventually


async def append(redis: Redis, user: str, number: int, *, wake: bool = True) -> str:
    update = JobUpdate(
        id="",
        job_id=f"{user}:echo:1:{number:011}",
        type="echo",
        event=JobEventKind.QUEUED,
        status=JobStatus.QUEUED,
        timestamp=number,
    )
    entry_id = await redis.xadd(feed_key(user), {UPDATE_FIELD: encode_update(update)})
    if wake:
        await redis.publish(wake_channel(user), entry_id)
    return str(entry_id)


async def take(entries: AsyncIterator[object], count: int, within: float = 10) -> list[int]:
    """The numbers of the next `count` updates."""
    numbers: list[int] = []
    async with asyncio.timeout(within):
        while len(numbers) < count:
            entry = await anext(entries)
            assert isinstance(entry, JobUpdate), entry
            numbers.append(entry.timestamp)
    return numbers


async def test_history_comes_first_and_then_what_happens_live(redis: Redis, redis_url: str) -> None:
    first = await append(redis, "ada", 1)
    await append(redis, "ada", 2)
    async with Feed(redis_url) as feed, aclosing(feed.follow("ada", first)) as entries:
        assert await take(entries, 1) == [2]
        await append(redis, "ada", 3)
        assert await take(entries, 1) == [3]


async def test_following_from_now_skips_history(redis: Redis, redis_url: str) -> None:
    await append(redis, "ada", 1)
    async with Feed(redis_url) as feed, aclosing(feed.follow("ada")) as entries:
        waiting = asyncio.ensure_future(take(entries, 1))
        await eventually(lambda: wake_channel("ada") in feed.channels)
        await append(redis, "ada", 2)
        assert await waiting == [2]


async def test_entries_appended_while_following_starts_are_neither_missed_nor_doubled(
    redis: Redis, redis_url: str
) -> None:
    async def write() -> None:
        for number in range(1, 1001):
            await append(redis, "ada", number)

    async with Feed(redis_url) as feed, asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        for _ in range(20):
            async with aclosing(feed.follow("ada", "0-0")) as entries:
                assert await take(entries, 40) == list(range(1, 41))
        async with aclosing(feed.follow("ada", "0-0")) as entries:
            assert await take(entries, 1000) == list(range(1, 1001))


async def test_a_lost_wake_up_costs_at_most_the_sweep_interval(
    redis: Redis, redis_url: str
) -> None:
    async with Feed(redis_url) as feed, aclosing(feed.follow("ada")) as entries:
        waiting = asyncio.ensure_future(take(entries, 1, within=4))
        await eventually(lambda: wake_channel("ada") in feed.channels)
        await append(redis, "ada", 1, wake=False)
        assert await waiting == [1]


async def test_only_channels_of_followed_users_are_subscribed(redis: Redis, redis_url: str) -> None:
    async def subscribed_is(*users: str) -> bool:
        names = await redis.pubsub_channels("careerlens:{*:wake")
        return set(names) == {wake_channel(user) for user in users}

    async with Feed(redis_url) as feed:
        async with (
            aclosing(feed.follow("ada", "0-0")) as one,
            aclosing(feed.follow("ada", "0-0")) as two,
        ):
            first, second = asyncio.ensure_future(anext(one)), asyncio.ensure_future(anext(two))
            await eventually(lambda: subscribed_is("ada"))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await append(redis, "ada", 1)
            assert isinstance(await second, JobUpdate)
        await eventually(subscribed_is)


async def test_users_whose_ids_share_a_prefix_see_nothing_of_each_other(
    redis: Redis, redis_url: str
) -> None:
    users = ["user-1", "user-12", "a", "a:b", "a/b", "*", "{a}", "A"]
    async with Feed(redis_url) as feed:
        for number, user in enumerate(users):
            await append(redis, user, number)
        for number, user in enumerate(users):
            page = await feed.read(user, "0-0")
            assert [entry.timestamp for entry in page.entries if isinstance(entry, JobUpdate)] == [
                number
            ]


async def test_a_position_of_another_user_shows_only_own_entries(
    redis: Redis, redis_url: str
) -> None:
    foreign = await redis.xadd(feed_key("mallory"), {UPDATE_FIELD: "{}"}, id="1700000000000-7")
    await append(redis, "ada", 7)
    await append(redis, "ada", 8)
    async with Feed(redis_url) as feed:
        page = await feed.read("ada", str(foreign))
        assert [type(entry) for entry in page.entries] == [Resync]
        assert page.position == await feed.position("ada")


async def test_a_trimmed_position_asks_for_a_resync_and_goes_on_live(
    redis: Redis, redis_url: str
) -> None:
    old = await append(redis, "ada", 1)
    for number in range(2, 6):
        await append(redis, "ada", number)
    await redis.xtrim(feed_key("ada"), maxlen=2, approximate=False)
    async with Feed(redis_url) as feed, aclosing(feed.follow("ada", old)) as entries:
        resync = await anext(entries)
        assert isinstance(resync, Resync)
        assert resync.id == await feed.position("ada")
        await append(redis, "ada", 6)
        assert await take(entries, 1) == [6]


@pytest.mark.parametrize(
    "future", ["99999999999999-0", "18446744073709551615-18446744073709551615"]
)
async def test_a_position_ahead_of_the_feed_is_brought_back_to_its_end(
    redis: Redis, redis_url: str, future: str
) -> None:
    await append(redis, "ada", 1)
    async with Feed(redis_url) as feed:
        page = await feed.read("ada", future)
        assert isinstance(page.entries[0], Resync)
        assert page.position == await feed.position("ada")


@pytest.mark.parametrize(
    "garbage",
    ["", "-", "abc", "1", "1-", "-1-0", "1-2-3", "1-0\n", "１-0", " 1-0", "1-0; FLUSHALL", "$", "+",
     "(1-0", "18446744073709551616-0", "9" * 400],
)  # fmt: skip
async def test_garbage_is_no_position(redis_url: str, garbage: str) -> None:
    async with Feed(redis_url) as feed:
        with pytest.raises(MalformedPositionError):
            await feed.read("ada", garbage)
        with pytest.raises(MalformedPositionError):
            await anext(feed.follow("ada", garbage))


async def test_a_resync_entry_of_the_relay_is_passed_on(redis: Redis, redis_url: str) -> None:
    entry_id = await redis.xadd(feed_key("ada"), {RESYNC_FIELD: "events_trimmed"})
    async with Feed(redis_url) as feed:
        page = await feed.read("ada", "0-0")
        assert page.entries == [Resync(id=str(entry_id), reason="events_trimmed")]


async def test_an_unreadable_entry_becomes_a_resync_and_stops_nothing(
    redis: Redis, redis_url: str
) -> None:
    broken = await redis.xadd(feed_key("ada"), {"update": '{"nonsense": true}'})
    await append(redis, "ada", 2)
    async with Feed(redis_url) as feed, aclosing(feed.follow("ada", "0-0")) as entries:
        assert await anext(entries) == Resync(id=str(broken), reason="entry_unreadable")
        assert await take(entries, 1) == [2]


async def test_following_survives_a_killed_and_restarted_server(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory(durable=True, appendfsync="always")
    redis = connect(server.url)
    async with Feed(server.url) as feed, aclosing(feed.follow("ada", "0-0")) as entries:
        await append(redis, "ada", 1)
        assert await take(entries, 1) == [1]
        waiting = asyncio.ensure_future(take(entries, 2, within=20))
        await asyncio.to_thread(server.restart)
        await redis.aclose()
        redis = connect(server.url)
        await append(redis, "ada", 2)
        await append(redis, "ada", 3)
        assert await waiting == [2, 3]
    await redis.aclose()
