"""Relays and their server are killed and frozen while events flow: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

from careerlens.foundation.errors import CareerLensError
from careerlens.jobs.model import JobUpdate
from careerlens.realtime.feed import Feed
from careerlens.realtime.relay import LEASE_S
from careerlens.wire.link import Link
from queue_driving import Driver
from relaying import relay_process, running_relay, told, updates
from support import Valkey, eventually

LEASE = "careerlens:relay:{echo}"


async def report(driver: Driver, job_id: str, numbers: range) -> None:
    for number in numbers:
        await driver.queue.update_progress(job_id, {"percent": 1, "message": str(number)})


async def numbers_told(feed: Feed, user: str) -> list[int]:
    return [
        int(update.progress.message)
        for update in await updates(feed, user)
        if update.progress is not None
    ]


async def test_a_killed_leader_is_followed_within_three_seconds(redis_url: str) -> None:
    async with Link(redis_url) as link, Feed(redis_url) as feed:
        driver = Driver("echo", link)
        job_id = await driver.add("ada")
        with relay_process(redis_url, "echo") as leader:
            assert await told(feed, "ada", 1, within=20) == ["queued"]
            async with running_relay(redis_url, "echo") as follower:
                leader.kill()
                leader.wait()
                killed = time.monotonic()
                await report(driver, job_id, range(1))
                await told(feed, "ada", 2)
                assert time.monotonic() - killed < 3.0
                assert follower.leading == {"echo"}


async def test_leaders_killed_again_and_again_lose_and_double_nothing(redis_url: str) -> None:
    rounds, each = 5, 1_000
    async with Link(redis_url) as link, Feed(redis_url) as feed:
        driver = Driver("echo", link)
        job_id = await driver.add("ada")
        for round_number in range(rounds):
            first = round_number * each
            with relay_process(redis_url, "echo"):
                await report(driver, job_id, range(first, first + 1))
                await told(feed, "ada", first + 2, within=20)
                # The leader is killed somewhere in the middle of these.
                await report(driver, job_id, range(first + 1, first + each))
        async with running_relay(redis_url, "echo"):
            await told(feed, "ada", rounds * each + 1, within=20)
        assert await numbers_told(feed, "ada") == list(range(rounds * each))


async def test_a_leader_frozen_past_its_lease_appends_nothing_when_it_thaws(
    redis_url: str,
) -> None:
    async with Link(redis_url) as link, Feed(redis_url) as feed:
        driver = Driver("echo", link)
        job_id = await driver.add("ada")
        with relay_process(redis_url, "echo") as frozen:
            await told(feed, "ada", 1, within=20)
            frozen.send_signal(signal.SIGSTOP)
            await report(driver, job_id, range(100))

            async def is_free() -> bool:
                return not await link.call("EXISTS", LEASE)

            await eventually(is_free, within=LEASE_S + 3)
            async with running_relay(redis_url, "echo") as follower:
                await told(feed, "ada", 101)
                frozen.send_signal(signal.SIGCONT)
                await report(driver, job_id, range(100, 200))
                await told(feed, "ada", 201)
                assert follower.leading == {"echo"}
            await report(driver, job_id, range(200, 210))
            await told(feed, "ada", 211)
            assert await numbers_told(feed, "ada") == list(range(210))


async def test_a_killed_and_restarted_server_costs_no_event(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory(durable=True, appendfsync="always")
    async with Feed(server.url) as feed, running_relay(server.url, "echo"):
        followed: list[int] = []

        async def follow() -> None:
            async for entry in feed.follow("ada", "0-0"):
                assert isinstance(entry, JobUpdate), entry
                if entry.progress is not None:
                    followed.append(int(entry.progress.message))

        following = asyncio.create_task(follow())
        async with Link(server.url) as link:
            driver = Driver("echo", link)
            job_id = await driver.add("ada")
            for round_number in range(3):
                first = round_number * 50
                await report(driver, job_id, range(first, first + 50))
                await asyncio.to_thread(server.restart)
                await reachable(link)
            await report(driver, job_id, range(150, 160))
            await eventually(lambda: len(followed) >= 160, within=20)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert followed == list(range(160))
        assert await numbers_told(feed, "ada") == list(range(160))


async def reachable(link: Link) -> None:
    async def answers() -> bool:
        try:
            return bool(await link.call("PING"))
        except CareerLensError:
            return False

    await eventually(answers)


async def test_a_server_that_is_away_at_the_start_is_waited_for(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory(durable=True, appendfsync="always")
    server.kill()
    async with Feed(server.url) as feed, running_relay(server.url, "echo"):
        following = asyncio.ensure_future(anext(feed.follow("ada", "0-0")))
        await asyncio.to_thread(server.start)
        async with Link(server.url) as link:
            await Driver("echo", link).add("ada")
            entry = await asyncio.wait_for(following, 15)
        assert isinstance(entry, JobUpdate)


async def test_a_stranger_at_the_position_cannot_make_a_leader_repeat_itself(
    redis_url: str,
) -> None:
    """Two that believe they lead: the position decides, not the belief."""
    async with Link(redis_url) as link, Feed(redis_url) as feed:
        driver = Driver("echo", link)
        job_id = await driver.add("ada")
        async with running_relay(redis_url, "echo"):
            await told(feed, "ada", 1)
            for _ in range(5):
                await link.call("DEL", LEASE)
                await report(driver, job_id, range(1))
            await told(feed, "ada", 6)
        assert len(await updates(feed, "ada")) == 6


async def test_a_relay_told_to_stop_gives_its_lease_back(redis_url: str) -> None:
    async with Link(redis_url) as link:
        with relay_process(redis_url, "echo") as relay:
            await eventually(lambda: link.call("EXISTS", LEASE), within=20)
            relay.send_signal(signal.SIGINT)
            await asyncio.to_thread(relay.wait, 5)
        assert await link.call("EXISTS", LEASE) == 0
