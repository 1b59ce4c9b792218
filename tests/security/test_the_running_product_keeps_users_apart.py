"""One user against another, over HTTP, event streams and sockets of running processes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import socketio
from redis.asyncio import Redis

from careerlens.foundation.redis import connect
from careerlens.jobs.ids import new_job_id
from careerlens.jobs.keys import QUEUES_KEY, feed_key
from figures import show
from stack import Product, in_production
from support import Valkey, eventually
from tokens import token

OWNER = "user-1"
INTRUDERS = ["user-12", "user", "USER-1", "user-1:x", "user%2D1", "user-*", "..", "{user-1}"]
JOBS = 10_000


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey
    valkey.kill()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, valkey: Valkey) -> Iterator[Product]:
    """API and gateway of production, with their relay; nothing works the jobs off."""
    with in_production(tmp_path_factory.mktemp("product"), valkey.url) as product:
        yield product


@pytest.fixture
async def server(valkey: Valkey) -> AsyncIterator[Redis]:
    client = connect(valkey.url)
    yield client
    await client.aclose()


def client_of(product: Product, user: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=product.url,
        headers={"authorization": f"Bearer {token(user)}"},
        timeout=20,
        trust_env=False,
    )


async def create(client: httpx.AsyncClient) -> str:
    body = {"type": "resume-optimization", "targetRole": "Editor", "resumeText": "word " * 60}
    answer = await client.post("/api/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["jobId"]
    return job_id


@asynccontextmanager
async def listening(
    product: Product, user: str, **auth: Any
) -> AsyncIterator[tuple[Any, list[Any]]]:
    """A socket of `user`, and what it hears."""
    heard: list[Any] = []
    socket = socketio.AsyncClient(reconnection=False)

    async def hear(name: str, payload: Any) -> None:
        heard.append((name, payload))

    socket.on("*", hear)
    await socket.connect(
        product.socket_url, auth={"token": token(user), **auth}, transports=["websocket"]
    )
    try:
        yield socket, heard
    finally:
        await socket.disconnect()


def spellings(job_id: str, intruder: str) -> list[str]:
    """Ways to name somebody else's job, or more than one."""
    rest = job_id.partition(":")[2]
    return [
        job_id, quote(job_id, safe=""), quote(quote(job_id, safe=""), safe=""),
        job_id.replace("user-1", "user%2D1"), job_id.replace("-", "%2D"), f"{job_id}\0",
        f" {job_id}",
        f"{job_id}/", f"./{job_id}", f"x/../{job_id}", f"{intruder}/../{job_id}", job_id[:-1],
        job_id.upper(), job_id.split(":")[0], f"{intruder}:{rest}", f"{job_id}:lock", "*", "..",
        "user-1:*", "user:user-1", "job:*", f"{{{job_id}}}", f"{job_id},{job_id}", f"{job_id}\n",
    ]  # fmt: skip


async def test_no_spelling_opens_another_users_job_anywhere(
    product: Product, server: Redis
) -> None:
    async with client_of(product, OWNER) as owning:
        job_id = await create(owning)
        await eventually(lambda: _length_of_feed(server))
        for intruder in INTRUDERS:
            async with (
                client_of(product, intruder) as other,
                listening(product, intruder) as (socket, heard),
            ):
                for spelled in spellings(job_id, intruder):
                    for method, what in (("GET", "status"), ("GET", "events"), ("POST", "cancel")):
                        path = f"/api/jobs/{quote(spelled, safe='')}/{what}"
                        answer = await other.request(method, path)
                        assert answer.status_code == 404, (intruder, spelled, what, answer.text)
                    said = await socket.call("subscribe:job", spelled, timeout=10)
                    assert said["error"]["code"] == "not_found", (intruder, spelled)
                assert heard == []
                listed = (await other.get("/api/jobs")).json()
                assert listed == {"jobs": []}
        status = await owning.get(f"/api/jobs/{quote(job_id, safe='')}/status")
        assert status.json()["status"] == "queued"


async def _length_of_feed(server: Redis) -> int:
    return int(await server.xlen(feed_key(OWNER)))


async def test_another_users_place_in_a_feed_leads_nowhere(product: Product, server: Redis) -> None:
    """An id of A's feed, a made-up one, or one to come: B hears of B's own jobs alone."""
    async with client_of(product, "feed-a") as first, client_of(product, "feed-b") as second:
        theirs, own = [await create(client) for client in (first, second)]

        async def both_are_told() -> bool:
            lengths = [await server.xlen(feed_key(user)) for user in ("feed-a", "feed-b")]
            return all(lengths)

        await eventually(both_are_told)
        entries: Any = await server.xrange(feed_key("feed-a"), count=1)
        place = str(entries[0][0])
        places = (place, "0-0", "0", "-", "+", "$", "9999999999999-0", "*", f"feed-a:{place}")
        for last in places:
            async with listening(product, "feed-b", lastEventId=last) as (socket, heard):
                await socket.call("unsubscribe:job", "x", timeout=10)
                newest = await create(second)
                # What resuming leads to comes before what happens afterwards.
                await eventually(lambda: newest in json.dumps(heard))  # noqa: B023
                assert theirs not in json.dumps(heard), last
            path = f"/api/jobs/{quote(own, safe='')}/events"
            async with second.stream("GET", path, headers={"last-event-id": last}) as stream:
                first_lines = await anext(stream.aiter_text())
                assert own in first_lines
                assert theirs not in first_lines
            cursor = await second.get("/api/jobs/history", params={"cursor": last})
            assert theirs not in cursor.text
    show("S3", places=len(places), over="sockets, streams and pages", told_of_others=0)


async def test_ten_thousand_mixed_jobs_reach_nobody_else(product: Product, server: Redis) -> None:
    """Through queue, relay, feeds, sockets and streams: every entry with its owner alone."""
    users = ["mix-1", "mix-12", "mix", "mix:1", "mix%3A1", "MIX-1", "mix-1:x", "{mix-1}"]
    queue = "mixed"
    await server.sadd(QUEUES_KEY, queue)
    heard: dict[str, list[Any]] = {}
    streamed: dict[str, str] = dict.fromkeys(users, "")
    of_all_jobs: dict[str, str] = dict.fromkeys(users, "")
    async with asyncio.TaskGroup() as group:
        stop = asyncio.Event()

        async def listen(user: str) -> None:
            async with listening(product, user) as (_, received):
                heard[user] = received
                await stop.wait()

        async def follow(user: str) -> None:
            async with client_of(product, user) as client:
                path = f"/api/jobs/{quote(await create(client), safe='')}/events"
                async with (
                    client.stream("GET", path) as stream,
                    client.stream("GET", "/api/jobs/events") as all_jobs,
                ):
                    reading = [
                        group.create_task(_gather(stream, streamed, user)),
                        group.create_task(_gather(all_jobs, of_all_jobs, user)),
                    ]
                    await stop.wait()
                    for each in reading:
                        each.cancel()

        def is_listening() -> bool:
            return len(heard) == len(users) and all((*streamed.values(), *of_all_jobs.values()))

        def is_streamed(user: str) -> bool:
            return of_all_jobs[user].count(f'"type":"{queue}"') >= JOBS // len(users)

        for user in users:
            group.create_task(listen(user))
            group.create_task(follow(user))
        await eventually(is_listening, within=20)
        pipeline = server.pipeline(transaction=False)
        for number in range(JOBS):
            job_id = str(new_job_id(users[number * 7 % len(users)], queue))
            pipeline.xadd(
                f"bull:{queue}:events",
                {"event": "waiting", "jobId": job_id, "prev": ""},
                maxlen=100_000,
            )
        await pipeline.execute()
        counts: Callable[[], dict[str, int]] = lambda: {  # noqa: E731
            user: len(_jobs_of_queue(received, queue)) for user, received in heard.items()
        }
        started = time.monotonic()
        await eventually(lambda: sum(counts().values()) >= JOBS, within=60, every=0.2)
        await eventually(lambda: all(map(is_streamed, users)), within=60, every=0.2)
        assert time.monotonic() - started < 60
        stop.set()
    for user, received in heard.items():
        owners = {job_id.partition(":")[0] for job_id in _jobs_of_queue(received, queue)}
        assert owners == {quote(user, safe="")}
        assert len(_jobs_of_queue(received, queue)) == JOBS // len(users)
    for user, text in [*streamed.items(), *of_all_jobs.items()]:
        for line in text.splitlines():
            if line.startswith("data: "):
                owner = json.loads(line[6:])["jobId"].partition(":")[0]
                assert owner == quote(user, safe="")
    entries = sum(len(_jobs_of_queue(received, queue)) for received in heard.values())
    show("S2", users=len(users), jobs=JOBS, told_by_sockets=entries, told_to_others=0)


def _jobs_of_queue(received: list[Any], queue: str) -> list[str]:
    return [payload["jobId"] for name, payload in received if payload.get("type") == queue]


async def _gather(stream: httpx.Response, streamed: dict[str, str], user: str) -> None:
    async for text in stream.aiter_text():
        streamed[user] += text
