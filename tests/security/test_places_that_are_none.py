"""Whatever a client says it has seen last: it hears its own user's entries and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from redis.asyncio import Redis

from apis import RunningApi
from careerlens.jobs.keys import feed_key
from event_streams import Events
from figures import show
from gateways import RunningGateway, connected
from telling import Teller

GARBAGE = [
    "", "-", "--", "abc", "0", "1", "1-", "-1", "-1-0", "1--1", "1-2-3", "1-1", "1.5-0", "1e3-0",
    "0x10-0", "$", "+", ">", "*", "1-*", "(1-0", " 1-0", "1-0 ", "１-0", "١-١", "NaN", "null", "{}",
    "../mallory", "careerlens:{mallory}:feed", "1-0; FLUSHALL", "'; DROP TABLE jobs; --",
    "99999999999999-0", "18446744073709551615-18446744073709551615", "18446744073709551616-0",
    "9" * 400, "1-" + "9" * 400,
]  # fmt: skip


@pytest.fixture
async def teller(redis: Redis) -> Teller:
    """Mallory's entries stand before, among and after ada's, and at other places."""
    for user, milliseconds in (
        ("ada", 2),
        ("ada", 4),
        ("mallory", 1),
        ("mallory", 3),
        ("mallory", 5),
    ):
        await redis.xadd(feed_key(user), {"resync": user}, id=f"170000000000{milliseconds}-5")
    return Teller(redis)


FOREIGN = [
    f"170000000000{milliseconds}-{sequence}" for milliseconds in (1, 3, 5) for sequence in (4, 5, 6)
]
PLACES = [*GARBAGE, *FOREIGN]


async def test_over_a_socket(gateway: RunningGateway, teller: Teller) -> None:
    values = [*PLACES, 7, -1, 1.5, True, [], {"a": 1}, ["0-0"]]
    async with AsyncExitStack() as connections:
        clients = await asyncio.gather(
            *(
                connections.enter_async_context(connected(gateway, "ada", lastEventId=value))
                for value in values
            )
        )
        for client in clients:
            await client.hears("resync", within=60)
        await teller.tell(["mallory", "ada"])
        for client in clients:
            await client.hears("job:update", within=60)
    resyncs = [resync for client in clients for resync in client.all("resync")]
    told = [update for client in clients for update in client.updates]
    leaks = sum(update["jobId"] != "ada-job" for update in told)
    show("J9, sockets", values=len(values), resyncs=len(resyncs), told=len(told), leaks=leaks)
    assert {resync["id"] for resync in resyncs} == {"1700000000004-5"}
    assert (len(resyncs), len(told), leaks) == (len(values), len(values), 0)


async def test_over_http(api: RunningApi, teller: Teller) -> None:
    leaks = answers = 0
    async with api.client("ada") as client:
        for value in PLACES:
            async with opened(client, value) as events:
                name, _ = await required(events)
                assert name == "resync", value
                await teller.tell(["mallory", "ada"])
                name, entry = await required(events)
                assert (name, entry["id"]) == ("job:update", teller.ids["ada"][-1])
                answers += 1
                leaks += entry["jobId"] != "ada-job"
    show("J9, HTTP", values=len(PLACES), answers_of_200=answers, leaks=leaks)
    assert (answers, leaks) == (len(PLACES), 0)


@asynccontextmanager
async def opened(client: httpx.AsyncClient, value: str) -> AsyncIterator[Events]:
    """A stream that goes on after this, as the header where that can carry it."""
    fits = value.isascii() and value == value.strip()
    query = {} if fits else {"lastEventId": value}
    headers = {"Last-Event-ID": value} if fits else {}
    while True:
        events = client.stream("GET", "/api/jobs/events", params=query, headers=headers)
        async with events as response:
            if response.status_code == 503:
                continue  # the machine is busy, and it says so
            assert response.status_code == 200, (value, await response.aread())
            yield Events(response)
            return


async def required(events: Events) -> tuple[str, dict[str, str]]:
    event = await events.next(within=60)
    assert event is not None
    return event
