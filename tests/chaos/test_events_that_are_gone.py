"""Events that no relay can tell any more are noticed, and whoever they concern asks again.

`make soak` does each at full size.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from careerlens.jobs.keys import feed_key
from careerlens.jobs.manager import JobManager
from careerlens.jobs.model import JobStatus
from careerlens.queue import JobOptions
from careerlens.realtime.entries import START, Resync
from careerlens.realtime.feed import Feed
from careerlens.wire.calls import QueueCalls
from careerlens.wire.link import Link
from figures import IS_WHOLE, show, sized
from queue_driving import Driver
from relaying import everything, running_relay, told
from support import Valkey, eventually, insist
from team_jobs import REGISTRY

TYPE = "endless"


async def resyncs(feed: Feed, user: str) -> list[str]:
    """The reasons for which the user was asked to ask again."""
    return [one.reason for one in await everything(feed, user) if isinstance(one, Resync)]


async def test_a_relay_away_for_longer_than_the_stream_is_kept_has_everybody_concerned_ask_again(
    redis_url: str, link: Link
) -> None:
    kept, pushed = sized(1_000, 10_000), sized(2_000, 20_000)
    users = [f"user-{number}" for number in range(sized(5, 50))]
    driver, manager = Driver(TYPE, link), JobManager(link, REGISTRY)

    async def create(user: str) -> str:
        return (await manager.create_job(TYPE, {}, user)).job_id

    async def end_all(count: int) -> None:
        for _ in range(count):
            await driver.run_one()

    async with Feed(redis_url) as feed:
        async with running_relay(redis_url, TYPE):
            await driver.queue.cancel(await create("uninvolved"))
            await told(feed, "uninvolved", 2)
            seen = {user: await create(user) for user in users}
            for user in users:
                await told(feed, user, 1)
        await link.call("HSET", driver.queue.keys.meta, "opts.maxLenEvents", kept)
        # Whatever can happen to a job while nobody looks: it ends, it comes and ends, it comes.
        ended = {user: await create(user) for user in users}
        await driver.queue.add(TYPE, {"userId": "foreign"}, JobOptions(job_id="of-another-make"))
        await end_all(2 * len(users) + 1)
        waiting = {user: await create(user) for user in users}
        noisy = await driver.queue.add(TYPE, {"of": "nobody"})
        progress = QueueCalls(driver.queue.keys).progress(noisy, "1")
        for _ in range(0, pushed, 500):
            await link.run_many([progress] * 500)
        left = await link.call("XLEN", driver.queue.keys.events)
        began = time.monotonic()
        async with running_relay(redis_url, TYPE):
            concerned = ["foreign", *users]
            asked = [
                len(await eventually(partial(resyncs, feed, user), within=30)) for user in concerned
            ]
            took_s = time.monotonic() - began
            for user in users:
                assert await resyncs(feed, user) == ["events_trimmed"]
                active = [one.job_id for one in await manager.list_active_jobs(user)]
                assert active == [waiting[user]]
                for job_id in (seen[user], ended[user]):
                    status = (await manager.get_job_status(job_id, user)).status
                    assert status is JobStatus.COMPLETED
            assert await resyncs(feed, "uninvolved") == []
            # From then on everything is told again.
            await end_all(2)
            await told_of_end(feed, users[0], waiting[users[0]])
    show(
        "J2",
        pushed=pushed,
        left_in_the_stream=left,
        concerned=len(concerned),
        asked_again=sum(asked),
        seconds=round(took_s, 2),
    )
    assert asked == [1] * len(concerned)
    if IS_WHOLE:
        assert took_s <= 10.0


async def told_of_end(feed: Feed, user: str, job_id: str) -> None:
    async def is_told() -> bool:
        return any(
            not isinstance(one, Resync) and one.job_id == job_id and one.status.is_final
            for one in await everything(feed, user)
        )

    await eventually(is_told, within=60)


async def has_entries(link: Link, user: str, count: int) -> bool:
    return bool(await link.call("XLEN", feed_key(user)) == count)


async def test_relays_that_are_restarted_cleanly_see_no_gap(redis_url: str, link: Link) -> None:
    restarts = sized(20, 1_000)
    driver = Driver(TYPE, link)
    async with Feed(redis_url) as feed:
        for number in range(1, restarts + 1):
            async with running_relay(redis_url, TYPE):
                await driver.add("ada")
                await eventually(partial(has_entries, link, "ada", number))
        false_alarms = len(await resyncs(feed, "ada"))
    show("J2", clean_restarts=restarts, false_alarms=false_alarms)
    assert false_alarms == 0


async def test_a_server_that_comes_back_without_its_last_moments_stops_no_relay_and_no_client(
    valkey_factory: Callable[..., Valkey], tmp_path: Path
) -> None:
    """As after a power cut: bytes are missing at the end of its file. Relay and client live on."""
    chance = random.Random(7)
    rounds, resynced, bytes_cut = sized(4, 30), 0, 0
    server = valkey_factory(folder=tmp_path, durable=True)
    shown = "nothing"

    async with Feed(server.url) as feed, Link(server.url) as link:
        driver = Driver(TYPE, link)
        job_id = await driver.add("ada")

        async def stored() -> str:
            record = await driver.queue.job(job_id)
            assert record is not None
            return str(record.progress)

        async def report(percent: int) -> None:
            assert await insist(partial(driver.queue.update_progress, job_id, percent))

        def is_shown(percent: int) -> bool:
            return shown == str(percent)

        async def follow() -> None:
            """What a page shows: what it is told, and what it asks for when told to ask again."""
            nonlocal shown, resynced
            async for entry in feed.follow("ada", START):
                if isinstance(entry, Resync):
                    resynced += 1
                    shown = await insist(stored)
                elif entry.progress is not None:
                    shown = f"{entry.progress.percent:g}"

        following = asyncio.create_task(follow())
        async with running_relay(server.url, TYPE):
            slowest_s = 0.0
            for number in range(rounds):
                for step in range(60):
                    await report(step)
                    await asyncio.sleep(0.001)
                await asyncio.to_thread(server.kill)
                bytes_cut += cut(tmp_path, chance.randrange(100, 20_000))
                await asyncio.to_thread(server.start)
                came_back = time.monotonic()
                final = 70 + number % 20
                await report(final)
                await eventually(partial(is_shown, final), within=60)
                slowest_s = max(slowest_s, time.monotonic() - came_back)
                assert await insist(stored) == shown
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    show(
        "J12",
        rounds=rounds,
        bytes_cut=bytes_cut,
        stuck_relays=0,
        asked_again=resynced,
        slowest_s=round(slowest_s, 2),
    )
    assert resynced
    if IS_WHOLE:
        assert slowest_s <= 10.0


def cut(folder: Path, count: int) -> int:
    """Cut bytes off the end of the server's file; how many there were to cut."""
    files = sorted((folder / "appendonlydir").glob("*.incr.aof"))
    size = files[-1].stat().st_size
    # The job itself is acknowledged, and seconds old.
    left = max(size - count, size // 2)
    os.truncate(files[-1], left)
    return size - left
