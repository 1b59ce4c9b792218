"""The official JavaScript client of Socket.IO at our gateway, over every transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.connection import Limits
from careerlens.realtime.entries import UPDATE_FIELD, encode_update
from gateways import RunningGateway, running_gateway
from node_peer import NodePeer, node_process
from support import eventually, free_port
from tokens import token

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]
every_transport = pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)


class Browser:
    """One client within the Node process."""

    def __init__(self, node: NodePeer, name: str) -> None:
        self.node = node
        self.name = name

    async def open(self, gateway: RunningGateway, user: str = "ada", **options: Any) -> Any:
        """`connected`, or what refused it."""
        auth = {"token": token(user)} | options.pop("auth", {})
        return await self.node.do("open", self.name, gateway.url, {"auth": auth, **options})

    async def call(self, event: str, argument: Any, *, timeout_ms: int = 10_000) -> Any:
        """What acknowledges an event."""
        return await self.node.do("call", self.name, event, argument, timeout_ms)

    def all(self, event: str) -> list[dict[str, Any]]:
        """Every event of this name so far."""
        return [
            heard
            for heard in self.node.events
            if heard["event"] == event and heard["jobId"] == self.name
        ]

    async def hears(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of this name, once there are so many."""
        await eventually(lambda: len(self.all(event)) >= count, within=20)
        return self.all(event)

    @property
    def numbers(self) -> list[int]:
        """The numbers of all entries so far."""
        return [heard["payload"]["timestamp"] for heard in self.all("job:update")]


@pytest.fixture
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    async with node_process("socket_peer.mjs") as node:
        yield Browser(node, request.node.name)


async def tell(redis: Redis, first: int, end: int) -> None:
    for number in range(first, end):
        update = JobUpdate(
            id="",
            job_id="ada-job",
            type="echo",
            event=JobEventKind.QUEUED,
            status=JobStatus.QUEUED,
            timestamp=number,
        )
        entry_id = await redis.xadd(feed_key("ada"), {UPDATE_FIELD: encode_update(update)})
        await redis.publish(wake_channel("ada"), entry_id)


@every_transport
async def test_entries_and_acknowledgements_arrive(
    redis: Redis, gateway: RunningGateway, browser: Browser, transports: list[str]
) -> None:
    assert await browser.open(gateway, transports=transports) == "connected"
    await tell(redis, 0, 200)
    await browser.hears("job:update", 200)
    assert browser.numbers == list(range(200))
    assert await browser.call("unsubscribe:job", "x") == {"ok": True}
    answer = await browser.call("subscribe:job", {"jobId": "nothing"})
    assert answer["error"]["code"] == "not_found"


async def test_an_upgrade_while_entries_come_loses_none(
    redis: Redis, gateway: RunningGateway, browser: Browser
) -> None:
    telling = asyncio.create_task(tell(redis, 0, 300))
    await browser.open(gateway, auth={"lastEventId": "0-0"}, transports=["polling", "websocket"])
    assert [heard["transport"] for heard in await browser.hears("upgrade")] == ["websocket"]
    await telling
    await browser.hears("job:update", 300)
    assert browser.numbers == list(range(300))


@every_transport
async def test_a_connection_that_breaks_again_and_again_loses_and_repeats_nothing(
    redis: Redis, gateway: RunningGateway, browser: Browser, transports: list[str]
) -> None:
    await browser.open(gateway, auth={"lastEventId": "0-0"}, transports=transports)
    for round_number in range(5):
        telling = asyncio.create_task(tell(redis, 40 * round_number, 40 * round_number + 40))
        await browser.hears("job:update", 40 * round_number + 5)
        await browser.node.do("cut", browser.name)
        await telling
        await browser.hears("connect", round_number + 2)
    await browser.hears("job:update", 200)
    assert browser.numbers == list(range(200))


@every_transport
async def test_a_restarted_gateway_is_found_again_by_itself(
    redis: Redis, redis_url: str, browser: Browser, transports: list[str]
) -> None:
    port = free_port()
    async with running_gateway(redis_url, port=port) as gateway:
        await browser.open(gateway, auth={"lastEventId": "0-0"}, transports=transports)
        await tell(redis, 0, 10)
        await browser.hears("job:update", 10)
    await browser.hears("server:draining")
    await browser.hears("disconnect")
    await tell(redis, 10, 20)
    async with running_gateway(redis_url, port=port):
        await browser.hears("job:update", 20)
        assert browser.numbers == list(range(20))


@every_transport
async def test_who_is_refused_is_told_why(
    gateway: RunningGateway, browser: Browser, transports: list[str]
) -> None:
    refusal = await browser.open(gateway, auth={"token": "forged"}, transports=transports)
    assert refusal["code"] == "unauthorized"
    assert [heard["data"] for heard in browser.all("connect_error")] == [refusal]


async def test_an_event_that_nobody_answers_ends_in_the_clients_own_timeout(
    gateway: RunningGateway, browser: Browser
) -> None:
    await browser.open(gateway, transports=["websocket"])
    assert "timed out" in (await browser.call("no:such:event", 1, timeout_ms=200))["failed"]
    assert await browser.call("unsubscribe:job", "x") == {"ok": True}


@every_transport
async def test_pings_are_answered_and_keep_the_connection(
    redis_url: str, browser: Browser, transports: list[str]
) -> None:
    limits = Limits(ping_interval_s=0.05, ping_timeout_s=10)
    async with running_gateway(redis_url, limits=limits) as gateway:
        await browser.open(gateway, transports=transports)
        await browser.hears("ping", 5)
        assert await browser.call("unsubscribe:job", "x") == {"ok": True}
        assert len(browser.all("connect")) == 1


@every_transport
async def test_binary_is_refused_and_the_client_comes_back(
    gateway: RunningGateway, browser: Browser, transports: list[str]
) -> None:
    await browser.open(gateway, transports=transports)
    await browser.node.do("emitBinary", browser.name, "subscribe:job")
    await browser.hears("disconnect")
    await browser.hears("connect", 2)
