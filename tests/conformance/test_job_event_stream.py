"""One job's events over HTTP: a snapshot, what follows, and the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from careerlens.foundation.errors import JobNotFoundError
from careerlens.jobs.definitions import Registry
from careerlens.jobs.keys import feed_key
from careerlens.jobs.manager import JobManager
from careerlens.realtime.feed import Feed
from careerlens.realtime.sse import event_stream
from careerlens.wire.link import Link
from queue_driving import Driver
from relaying import running_relay, told

Event = tuple[str, str, dict[str, Any]]


@dataclass
class World:
    link: Link
    feed: Feed
    manager: JobManager
    driver: Driver

    async def stream(
        self, user: str, job_id: str, last: str | None = None, **options: Any
    ) -> AsyncGenerator[bytes, None]:
        return await event_stream(self.feed, self.manager, user, job_id, last, **options)


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    async with Link(redis_url) as link, Feed(redis_url) as feed, running_relay(redis_url, "echo"):
        yield World(link, feed, JobManager(link, Registry()), Driver("echo", link))


def parse(event: bytes) -> Event:
    name, event_id, data = event.decode().removesuffix("\n\n").split("\n")
    return (
        name.removeprefix("event: "),
        event_id.removeprefix("id: "),
        json.loads(data.removeprefix("data: ")),
    )


async def rest_of(stream: AsyncGenerator[bytes, None], *, within: float = 10) -> list[Event]:
    async with asyncio.timeout(within), aclosing(stream):
        return [parse(event) async for event in stream if not event.startswith(b":")]


async def test_a_stream_begins_with_the_status_and_ends_with_the_job(world: World) -> None:
    job_id = await world.driver.add("ada")
    await told(world.feed, "ada", 1)
    stream = await world.stream("ada", job_id)
    name, _, status = parse(await anext(stream))
    assert (name, status["status"]) == ("job:status", "queued")
    taken = await world.driver.take()
    await world.driver.add("ada")
    await world.driver.queue.update_progress(job_id, {"percent": 50, "message": "Half"})
    await world.driver.finish(taken, "completed", {"answer": 42})
    events = await rest_of(stream)
    assert [(name, update["event"]) for name, _, update in events] == [
        ("job:update", "processing"),
        ("job:update", "progress"),
        ("job:update", "completed"),
    ]
    assert {update["jobId"] for _, _, update in events} == {job_id}
    assert [event_id for _, event_id, _ in events] == [update["id"] for _, _, update in events]


async def test_a_stream_resumes_after_the_last_event(world: World) -> None:
    job_id = await world.driver.add("ada")
    taken = await world.driver.take()
    for percent in range(10):
        await world.driver.queue.update_progress(job_id, percent)
    await told(world.feed, "ada", 12)
    page = await world.feed.read("ada", "0-0")
    stream = await world.stream("ada", job_id, page.entries[4].id)
    name, event_id, status = parse(await anext(stream))
    assert (name, event_id, status["status"]) == ("job:status", page.entries[4].id, "processing")
    await world.driver.finish(taken)
    events = await rest_of(stream)
    assert [event_id for _, event_id, _ in events][:7] == [entry.id for entry in page.entries[5:]]
    assert events[-1][2]["event"] == "completed"


async def test_a_job_that_has_ended_is_told_at_once(world: World) -> None:
    job_id = await world.driver.add("ada")
    await world.driver.run_one()
    await told(world.feed, "ada", 3)
    first = (await world.feed.read("ada", "0-0")).entries[0].id
    ((name, _, status),) = await rest_of(await world.stream("ada", job_id))
    assert (name, status["status"]) == ("job:status", "completed")
    resumed = await rest_of(await world.stream("ada", job_id, first))
    assert [update.get("event") for _, _, update in resumed] == [None, "processing", "completed"]


@pytest.mark.parametrize(
    "last", ["", "garbage", "-1", "1-1", "99999999999999-0", "0", "1-1\nid: 5", "١-١", "9" * 5000]
)
async def test_a_last_event_id_that_is_no_place_in_the_feed_starts_from_a_snapshot(
    world: World, last: str
) -> None:
    job_id = await world.driver.add("ada")
    await world.driver.run_one()
    await told(world.feed, "ada", 3)
    ((name, event_id, status),) = await rest_of(await world.stream("ada", job_id, last))
    assert (name, status["status"]) == ("job:status", "completed")
    assert event_id == await world.feed.position("ada")


@pytest.mark.parametrize("stranger", ["user-12", "user", "user-1:", "USER-1", "*"])
async def test_another_users_job_is_not_found(world: World, stranger: str) -> None:
    job_id = await world.driver.add("user-1")
    for name in (job_id, "user-1:echo:1:unknown-unknown", "..", "*", "wait", ""):
        with pytest.raises(JobNotFoundError):
            await world.stream(stranger, name)


async def test_a_place_in_another_users_feed_shows_nothing_of_theirs(world: World) -> None:
    await world.driver.add("mallory")
    await told(world.feed, "mallory", 1)
    foreign = await world.feed.position("mallory")
    job_id = await world.driver.add("ada")
    await told(world.feed, "ada", 1)
    await world.driver.run_one()
    await world.driver.run_one()
    await told(world.feed, "ada", 3)
    events = await rest_of(await world.stream("ada", job_id, foreign))
    assert {fields["jobId"] for _, _, fields in events} == {job_id}


async def test_silence_is_filled_with_pings(world: World) -> None:
    job_id = await world.driver.add("ada")
    await told(world.feed, "ada", 1)
    async with aclosing(await world.stream("ada", job_id, ping_interval_s=0.05)) as stream:
        assert (await anext(stream)).startswith(b"event: job:status")
        assert [await anext(stream) for _ in range(3)] == [b": ping\n\n"] * 3


async def test_a_gap_is_told_by_a_new_snapshot(world: World) -> None:
    job_id = await world.driver.add("ada")
    await told(world.feed, "ada", 1)
    stream = await world.stream("ada", job_id)
    await anext(stream)
    await world.link.call("XADD", feed_key("ada"), "*", "resync", "events_trimmed")
    upcoming = parse(await anext(stream))
    assert (upcoming[0], upcoming[2]["status"]) == ("job:status", "queued")
    await world.driver.run_one()
    assert (await rest_of(stream))[-1][2]["event"] == "completed"


async def test_a_stream_that_is_left_leaves_nothing_behind(world: World) -> None:
    job_id = await world.driver.add("ada")
    await told(world.feed, "ada", 1)
    stream = await world.stream("ada", job_id, ping_interval_s=0.05)
    await anext(stream)
    await anext(stream)
    assert world.feed.channels
    await stream.aclose()
    assert not world.feed.channels


async def test_a_status_that_cannot_be_read_for_now_ends_no_stream(world: World) -> None:
    job_id = await world.driver.add("ada")
    await told(world.feed, "ada", 1)
    key = world.driver.queue.keys.job(job_id)
    async with aclosing(await world.stream("ada", job_id, ping_interval_s=0.05)) as stream:
        await anext(stream)
        await world.link.call("RENAME", key, "aside")
        await world.link.call("SET", key, "a key of another kind")
        assert [await anext(stream) for _ in range(3)] == [b": ping\n\n"] * 3
        await world.link.call("RENAME", "aside", key)
        await world.driver.run_one()
        assert [event for event, *_ in await rest_of(stream)][-1] == "job:update"
