"""Relays and their server are killed and frozen while events flow: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

from careerlens.foundation.errors import CareerLensError
from careerlens.jobs.ids import new_job_id
from careerlens.jobs.keys import feed_key
from careerlens.jobs.model import JobUpdate
from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.realtime.feed import Feed
from careerlens.wire.link import Link
from figures import IS_WHOLE, show, sized
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


async def test_leaders_killed_in_the_middle_of_it_lose_and_double_nothing(redis_url: str) -> None:
    """Each kill has a standby that goes on. Users are told of their jobs in order, each once."""
    kills, each = sized(3, 20), sized(200, 500)
    users = [f"user-{number}" for number in range(4)]
    expected: dict[str, list[str]] = {user: [] for user in users}
    takeovers: list[float] = []
    chance = random.Random(7)

    async with Link(redis_url) as link, Feed(redis_url) as feed:
        queue = Queue("echo", link)
        await link.call("HSET", queue.keys.meta, "opts.maxLenEvents", 1_000_000)

        async def add(count: int) -> None:
            for start in range(0, count, 10):
                owners = [users[number % len(users)] for number in range(start, start + 10)]
                jobs = [_job_of(user) for user in owners]
                for user, job_id in zip(owners, await queue.add_bulk(jobs), strict=True):
                    expected[user].append(job_id)

        async def all_told() -> bool:
            lengths = await link.call_many([("XLEN", feed_key(user)) for user in users])
            return all(
                length >= len(expected[user]) for user, length in zip(users, lengths, strict=True)
            )

        async def relays(count: int) -> bool:
            clients = (await link.call("CLIENT", "LIST")).decode()
            return bool(clients.count(" name=careerlens:relay ") >= count)

        with ExitStack() as processes:
            leader = processes.enter_context(relay_process(redis_url, "echo"))
            await add(10)
            await eventually(all_told, within=60)
            for _ in range(kills):
                standby = processes.enter_context(relay_process(redis_url, "echo"))
                await eventually(lambda: relays(2), within=60)
                killed_after = chance.randrange(0, each, 10)
                await add(killed_after)
                leader.kill()
                killed = time.monotonic()
                leader.wait()
                await add(each - killed_after)
                await eventually(all_told, within=60)
                takeovers.append(time.monotonic() - killed)
                leader = standby
        told_of = {user: [update.job_id for update in await updates(feed, user)] for user in users}
    total = sum(map(len, expected.values()))
    show(
        "J1",
        jobs=total,
        kills=kills,
        told=sum(map(len, told_of.values())),
        missing=total - len({job_id for job_ids in told_of.values() for job_id in job_ids}),
        longest_takeover_s=round(max(takeovers), 2),
    )
    assert told_of == expected
    if IS_WHOLE:
        assert max(takeovers) <= 3.0


def _job_of(user: str) -> NewJob:
    options = JobOptions(job_id=str(new_job_id(user, "echo")))
    return NewJob(name="echo", data={"userId": user}, options=options)


async def test_a_leader_frozen_past_its_lease_appends_nothing_when_it_thaws(
    redis_url: str,
) -> None:
    async with Link(redis_url) as link, Feed(redis_url) as feed:
        driver = Driver("echo", link)
        job_id = await driver.add("ada")
        reported = 0

        async def report_some(count: int) -> None:
            nonlocal reported
            await report(driver, job_id, range(reported, reported + count))
            reported += count

        async def is_free() -> bool:
            return not await link.call("EXISTS", LEASE)

        rounds = sized(1, 10)
        with relay_process(redis_url, "echo") as frozen:
            await told(feed, "ada", 1, within=60)
            for _ in range(rounds):
                frozen.send_signal(signal.SIGSTOP)
                await report_some(100)
                await eventually(is_free, within=60)
                async with running_relay(redis_url, "echo"):
                    await told(feed, "ada", reported + 1, within=60)
                    frozen.send_signal(signal.SIGCONT)
                    await report_some(100)
                    await told(feed, "ada", reported + 1, within=60)
                # The other one leads again.
                await report_some(10)
                await told(feed, "ada", reported + 1, within=60)
        numbers = await numbers_told(feed, "ada")
        show("J3", freezes=rounds, reported=reported, told=len(numbers), distinct=len(set(numbers)))
        assert numbers == list(range(reported))


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
            await eventually(lambda: link.call("EXISTS", LEASE), within=60)
            relay.send_signal(signal.SIGINT)
            await asyncio.to_thread(relay.wait, 60)
        assert await link.call("EXISTS", LEASE) == 0
