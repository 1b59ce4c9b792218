"""`GET /api/jobs/events`: the feed of a user as server-sent events, each entry once, in order."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis

from apis import RunningApi, running_worker
from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.entries import RESYNC_FIELD, UPDATE_FIELD, encode_update
from careerlens.realtime.feed import Feed
from careerlens.realtime.relay import Relay
from careerlens.realtime.sse import PING_INTERVAL_S, feed_stream
from event_streams import begun, listening
from job_requests import create
from support import eventually
from team_jobs import REGISTRY

USER = "user-1"


async def tell(redis: Redis, user: str, *numbers: int) -> list[str]:
    """Entries of a user's feed, as a relay writes them; their ids."""
    ids: list[str] = []
    for number in numbers:
        update = JobUpdate(
            id="", job_id=f"{user}-job-{number % 3}", type="echo", event=JobEventKind.PROGRESS,
            status=JobStatus.PROCESSING, timestamp=number,
        )  # fmt: skip
        entry = await redis.xadd(feed_key(user), {UPDATE_FIELD: encode_update(update)})
        ids.append(str(entry))
        await redis.publish(wake_channel(user), entry)
    return ids


async def test_every_job_of_the_caller_is_told_from_the_click_to_the_end(
    api: RunningApi, redis_url: str, tmp_path: Path
) -> None:
    relaying = asyncio.create_task(Relay(redis_url, REGISTRY).run())
    try:
        async with api.client(USER) as client, begun(client) as events:
            wanted = {await create(client) for _ in range(3)}
            ended: set[str] = set()
            kinds: dict[str, list[str]] = {}
            async with running_worker(redis_url, tmp_path):
                while ended != wanted:
                    event = await events.next()
                    assert event is not None
                    assert event[0] == "job:update"
                    assert event[1]["id"] == events.last_id
                    kinds.setdefault(event[1]["jobId"], []).append(event[1]["event"])
                    if event[1]["event"] == "completed":
                        ended.add(event[1]["jobId"])
        expected = ["queued", "processing", "progress", "progress", "completed"]
        assert set(kinds) == wanted
        for each in kinds.values():
            assert each[-len(expected) + 1 :] == expected[1:]
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)


async def test_without_a_last_id_only_what_comes_is_told(api: RunningApi, redis: Redis) -> None:
    (before,) = await tell(redis, USER, 1)
    async with api.client(USER) as client, begun(client) as events:
        assert events.last_id == before
        ids = await tell(redis, USER, 2, 3)
        told = await events.take(2)
    assert [data["id"] for _, data in told] == ids


async def test_a_stream_that_is_cut_again_and_again_tells_each_entry_once_in_order(
    api: RunningApi, redis: Redis
) -> None:
    ids: list[str] = []
    told: list[str] = []
    async with api.client(USER) as client:
        async with begun(client) as events:
            last = events.last_id
        for turn in range(12):
            ids += await tell(redis, USER, *range(turn))
            way = {"Last_Event_ID": last} if turn % 2 else {}
            path = "/api/jobs/events" + ("" if turn % 2 else f"?lastEventId={quote(last)}")
            async with listening(client, path, **way) as events:
                ids += await tell(redis, USER, turn)
                # Left in the middle: the rest has to come next time.
                for _ in range(max(1, (len(ids) - len(told)) // 2)):
                    ((name, data),) = await events.take(1)
                    assert name == "job:update"
                    told.append(data["id"])
                last = events.last_id
        async with listening(client, Last_Event_ID=last) as events:
            told += [data["id"] for _, data in await events.take(len(ids) - len(told))]
    assert told == ids


async def test_the_header_that_a_browser_sends_by_itself_wins_over_the_address(
    api: RunningApi, redis: Redis
) -> None:
    ids = await tell(redis, USER, 1, 2, 3)
    async with (
        api.client(USER) as client,
        listening(client, f"/api/jobs/events?lastEventId={ids[0]}", Last_Event_ID=ids[1]) as events,
    ):
        ((_, data),) = await events.take(1)
    assert data["id"] == ids[2]


async def test_a_last_id_that_is_none_is_told_and_the_stream_goes_on(
    api: RunningApi, redis: Redis
) -> None:
    (end,) = await tell(redis, USER, 1)
    async with api.client(USER) as client:
        for last in ("*", "$", "-1", "-1-0", "1-", "9" * 40, "1-1-1", "", "null", "0x1-0", "1.5-0"):
            async with begun(client, Last_Event_ID=last) as events:
                malformed = {"id": end, "reason": "position_malformed"}
                assert await events.next() == ("resync", malformed), last
                assert events.last_id == end
                (end,) = await tell(redis, USER, 2)
                ((_, data),) = await events.take(1)
            assert data["id"] == end


async def test_a_place_that_is_gone_or_anothers_asks_for_a_resync(
    api: RunningApi, redis: Redis
) -> None:
    (end,) = await tell(redis, USER, 2)
    # Another one than ours: entries of the same millisecond have the same id in every feed.
    theirs = f"{int(end.partition('-')[0]) - 1}-0"
    await redis.xadd(feed_key("user-2"), {RESYNC_FIELD: "theirs"}, id=theirs)
    async with api.client(USER) as client:
        for last in (theirs, "1-1", "99999999999999-0"):
            async with begun(client, Last_Event_ID=last) as events:
                name, data = (await events.take(1))[0]
                assert (name, data["id"], events.last_id) == ("resync", end, end)
                assert data["reason"] == "position_not_retained"


async def test_a_gap_that_the_relay_found_is_passed_on(api: RunningApi, redis: Redis) -> None:
    async with api.client(USER) as client, begun(client) as events:
        entry = await redis.xadd(feed_key(USER), {RESYNC_FIELD: "events_trimmed"})
        await redis.publish(wake_channel(USER), entry)
        assert await events.next() == ("resync", {"id": entry, "reason": "events_trimmed"})
        assert events.last_id == entry


async def test_nobody_hears_of_another_user(api: RunningApi, redis: Redis) -> None:
    users = ["user-1", "user-12", "user", "user%2D1", "user-1:x", "USER-1"]
    async with asyncio.TaskGroup() as group:

        async def follow(user: str) -> list[str]:
            async with api.client(user) as client, begun(client) as events:
                begun_by.add(user)
                return [data["jobId"] for _, data in await events.take(50)]

        begun_by: set[str] = set()
        following = {user: group.create_task(follow(user)) for user in users}
        await eventually(lambda: begun_by == set(users))
        for number in range(50):
            for user in users:
                await tell(redis, user, number)
    for user, task in following.items():
        assert set(task.result()) == {f"{user}-job-{number}" for number in range(3)}


async def test_without_a_token_there_is_no_stream(api: RunningApi) -> None:
    async with api.client(None) as client:
        assert (await client.get("/api/jobs/events")).status_code == 401


async def test_silence_is_filled_with_pings(redis_url: str) -> None:
    assert PING_INTERVAL_S == 15
    async with Feed(redis_url) as feed:
        stream = await feed_stream(feed, USER, ping_interval_s=0.05)
        async with aclosing(stream):
            assert await anext(stream) == b": what happens after\nid: 0-0\n\n"
            assert [await anext(stream) for _ in range(3)] == [b": ping\n\n"] * 3
        assert not feed.channels


async def test_a_stopping_server_says_so(api: RunningApi) -> None:
    async with api.client(USER) as client, begun(client) as events:
        api.app.state.services.streams.stop()
        ((name, data),) = await events.rest()
        assert (name, data["code"]) == ("closed", "draining")
        async with listening(client) as late:
            ((name, data),) = await late.rest()
            assert (name, data["code"]) == ("closed", "draining")


async def test_a_reader_that_leaves_is_forgotten(api: RunningApi) -> None:
    feed = api.app.state.services.feed
    async with api.client(USER) as client:
        async with begun(client):
            await eventually(lambda: feed.channels)
        await eventually(lambda: not feed.channels)
