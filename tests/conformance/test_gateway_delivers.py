"""The gateway gives each socket its user's entries: each once, in order, through any break."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import socketio
from redis.asyncio import Redis

from careerlens.jobs.ids import new_job_id
from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobProgress, JobStatus, JobUpdate
from careerlens.realtime.entries import RESYNC_FIELD, UPDATE_FIELD, encode_update
from careerlens.wire.link import Link
from gateways import Client, RunningGateway, connected, running_gateway
from queue_driving import Driver
from relaying import running_relay
from support import eventually, free_port
from tokens import token

TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]


async def tell(redis: Redis, user: str, *numbers: int) -> list[str]:
    """Append numbered entries to the user's feed as the relay does; returns their ids."""
    ids = []
    for number in numbers:
        update = JobUpdate(
            id="",
            job_id=f"{user}-job",
            type="echo",
            event=JobEventKind.PROGRESS,
            status=JobStatus.PROCESSING,
            progress=JobProgress(percent=50, message="Working"),
            timestamp=number,
        )
        ids.append(str(await redis.xadd(feed_key(user), {UPDATE_FIELD: encode_update(update)})))
        await redis.publish(wake_channel(user), ids[-1])
    return ids


def numbers(client: Client) -> list[int]:
    return [update["timestamp"] for update in client.updates]


@pytest.mark.parametrize("transports", TRANSPORTS)
async def test_entries_arrive_live_on_every_transport(
    redis: Redis, gateway: RunningGateway, transports: tuple[str, ...]
) -> None:
    async with connected(gateway, "ada", transports=transports) as client:
        ids = await tell(redis, "ada", *range(200))
        await client.hears("job:update", 200)
    assert numbers(client) == list(range(200))
    assert [update["id"] for update in client.updates] == ids
    assert client.updates[0] == {
        "id": ids[0],
        "jobId": "ada-job",
        "type": "echo",
        "event": "progress",
        "status": "processing",
        "progress": {"percent": 50.0, "message": "Working", "step": None, "data": None},
        "error": None,
        "errorCode": None,
        "attemptsMade": None,
        "delayedUntil": None,
        "timestamp": 0,
    }


async def test_without_a_last_id_only_what_comes_is_told(
    redis: Redis, gateway: RunningGateway
) -> None:
    await tell(redis, "ada", 1, 2)
    async with connected(gateway, "ada") as client:
        await tell(redis, "ada", 3)
        await client.hears("job:update")
        assert numbers(client) == [3]


async def test_a_client_that_comes_back_gets_what_it_missed_and_then_what_comes(
    redis: Redis, gateway: RunningGateway
) -> None:
    ids = await tell(redis, "ada", *range(1000))
    async with connected(gateway, "ada", lastEventId=ids[99]) as client:
        await tell(redis, "ada", *range(1000, 1010))
        await client.hears("job:update", 910)
    assert numbers(client) == list(range(100, 1010))


async def test_sockets_that_join_at_any_moment_see_each_entry_once(
    redis: Redis, gateway: RunningGateway
) -> None:
    first = (await tell(redis, "ada", 0))[0]
    async with (
        connected(gateway, "ada", lastEventId=first) as watching,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(_tell_slowly(redis, 1, 1500))
        for _ in range(12):
            async with connected(gateway, "ada", lastEventId=first) as client:
                await client.hears("job:update", 50)
                seen = numbers(client)
                assert seen == list(range(1, len(seen) + 1))
        await watching.hears("job:update", 1499)
    assert numbers(watching) == list(range(1, 1500))


async def _tell_slowly(redis: Redis, first: int, end: int) -> None:
    for number in range(first, end):
        await tell(redis, "ada", number)


async def test_all_sockets_of_a_user_are_told_and_nobody_elses(
    redis: Redis, gateway: RunningGateway
) -> None:
    async with (
        connected(gateway, "user-1") as one,
        connected(gateway, "user-1", transports=("polling",)) as two,
        connected(gateway, "user-12") as other,
    ):
        await tell(redis, "user-1", 1, 2)
        await tell(redis, "user-12", 3)
        for client in (one, two):
            await client.hears("job:update", 2)
            assert numbers(client) == [1, 2]
        await other.hears("job:update")
        assert numbers(other) == [3]


async def test_each_event_arrives_once_and_in_order_through_gateway_restarts(
    redis: Redis, redis_url: str
) -> None:
    port, seen, last = free_port(), list[int](), (await tell(redis, "ada", 0))[0]
    telling = asyncio.create_task(_tell_slowly(redis, 1, 2001))
    while len(seen) < 2000:
        async with running_gateway(redis_url, port=port) as gateway:
            client = Client()
            await client.connect(gateway, {"token": token("ada"), "lastEventId": last})
            await client.hears("job:update", min(300, 2000 - len(seen)))
        await client.is_gone()
        seen += numbers(client)
        last = client.updates[-1]["id"]
    await telling
    assert seen == list(range(1, 2001))


@pytest.mark.parametrize("last", ["1-1", "99999999999999-0", "garbage", "", 7, {"a": 1}, "1-1-1"])
async def test_a_last_id_that_is_no_place_in_the_feed_asks_for_a_resync_and_goes_on_live(
    redis: Redis, gateway: RunningGateway, last: object
) -> None:
    end = (await tell(redis, "ada", 1, 2))[-1]
    async with connected(gateway, "ada", lastEventId=last) as client:
        resync = (await client.hears("resync"))[0]
        assert resync["id"] == end
        await tell(redis, "ada", 3)
        await client.hears("job:update")
        assert numbers(client) == [3]


async def test_a_gap_that_the_relay_found_is_told_as_resync(
    redis: Redis, gateway: RunningGateway
) -> None:
    async with connected(gateway, "ada") as client:
        entry = await redis.xadd(feed_key("ada"), {RESYNC_FIELD: "events_trimmed"})
        await redis.publish(wake_channel("ada"), entry)
        assert await client.hears("resync") == [{"id": entry, "reason": "events_trimmed"}]


async def test_a_feed_that_vanishes_asks_for_a_resync_and_goes_on(
    redis: Redis, gateway: RunningGateway
) -> None:
    last = (await tell(redis, "ada", 1))[0]
    async with connected(gateway, "ada", lastEventId=last) as client:
        await redis.delete(feed_key("ada"))
        await tell(redis, "ada", 2)
        await client.hears("resync")
        await tell(redis, "ada", 3)
        await eventually(lambda: numbers(client)[-1:] == [3])


async def test_only_connected_users_are_subscribed_to(
    redis: Redis, gateway: RunningGateway
) -> None:
    async def subscribed_is(*users: str) -> bool:
        names = await redis.pubsub_channels("careerlens:{*:wake")
        return set(names) == {wake_channel(user) for user in users}

    async with connected(gateway, "ada"), connected(gateway, "ada"), connected(gateway, "bob"):
        await eventually(lambda: subscribed_is("ada", "bob"))
    await eventually(subscribed_is)
    await eventually(lambda: not gateway.gateway.sessions)


async def test_subscribing_answers_with_the_status_and_a_position_before_what_follows(
    redis_url: str, gateway: RunningGateway
) -> None:
    async with Link(redis_url) as link, running_relay(redis_url, "echo"):
        driver = Driver("echo", link)
        job_id = await driver.add("ada")
        async with connected(gateway, "ada", lastEventId="0-0") as client:
            await client.hears("job:update")
            for argument in (job_id, {"jobId": job_id}):
                answer = await client.call("subscribe:job", argument)
                assert answer["ok"] is True
                assert (answer["status"]["jobId"], answer["status"]["status"]) == (job_id, "queued")
                assert answer["position"] == client.updates[-1]["id"]
            assert client.all("job:status") == [answer["status"]] * 2
            assert await client.call("unsubscribe:job", job_id) == {"ok": True}


async def test_a_foreign_producers_job_reaches_its_owners_socket(
    redis_url: str, gateway: RunningGateway
) -> None:
    async with Link(redis_url) as link, running_relay(redis_url, "echo"):
        driver = Driver("echo", link)
        await link.call("SADD", "careerlens:queues", "echo")
        async with connected(gateway, "ada") as client, connected(gateway, "bob") as other:
            job_id = await driver.queue.add("echo", {"userId": "ada"})
            assert job_id == "1"
            taken = await driver.take()
            await driver.queue.update_progress(job_id, 55)
            await driver.finish(taken, "completed", {"score": 7})
            await client.hears("job:update", 4)
            assert [update["event"] for update in client.updates] == [
                "queued", "processing", "progress", "completed",
            ]  # fmt: skip
            answer = await client.call("subscribe:job", job_id)
            assert answer["status"]["result"] == {"score": 7}
            assert (await other.call("subscribe:job", job_id))["error"]["code"] == "not_found"
        assert other.updates == []


async def test_a_job_that_cannot_be_read_costs_nobody_their_connection(
    redis: Redis, gateway: RunningGateway
) -> None:
    job_id = new_job_id("ada", "echo")
    await redis.set(f"bull:echo:{job_id}", "a key of another kind")
    async with connected(gateway, "ada") as client:
        answer = await client.call("subscribe:job", str(job_id))
        assert (answer["ok"], answer["error"]["code"]) == (False, "unavailable")
        await tell(redis, "ada", 1)
        await client.hears("job:update")


async def test_who_cannot_be_let_in_since_their_feed_cannot_be_read_is_told_so(
    redis: Redis, gateway: RunningGateway
) -> None:
    await redis.set(feed_key("ada"), "a key of another kind")
    client = Client()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(gateway, {"token": token("ada")})
    assert client.refusals[0]["code"] == "unavailable"


async def test_a_draining_gateway_says_so_and_closes(redis_url: str) -> None:
    client = Client()
    async with running_gateway(redis_url) as gateway:
        await client.connect(gateway, {"token": token("ada")})
    assert client.all("server:draining") == [{"withinMs": 1000}]
    await client.is_gone()


async def test_health_is_told_on_the_same_port(gateway: RunningGateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get("/health/live")).json() == {"status": "live"}
        ready = await http.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json() == {"status": "ready", "checks": {"redis": "ok"}}
        missing = await http.get("/anything")
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"
        assert "server" not in missing.headers
