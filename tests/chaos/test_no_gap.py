"""Everything between a queue and its users' screens breaks at once, and nobody notices.

Two gateways, each with its relay, are killed; the relays lose their lease; the clients' connections
are cut by a proxy in front; the server is killed. Meanwhile jobs tell how far they are, by numbers.
In the end each client has every event of its user's jobs: once, in order, and no other.

`make soak ARGS="-k no_gap"` does it with 200 clients; `CHAOS_SEED` makes it another one.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from careerlens.foundation.errors import CareerLensError, ServiceUnavailableError
from careerlens.jobs.ids import parse_job_id
from careerlens.jobs.keys import QUEUES_KEY
from careerlens.queue import CancelOutcome
from careerlens.realtime.ledger import position_key
from careerlens.realtime.relay import LEASE_S
from careerlens.wire.link import Link
from faults import FaultProxy, fault_proxy
from figures import show, sized
from following import Follower, all_connected, following
from gateway_process import GatewayProcess
from queue_driving import Driver
from support import Valkey, eventually

SEED = int(os.environ.get("CHAOS_SEED", "7"))
USERS = sized(10, 100)
TABS = 2
"""Clients of each user, and jobs as well."""
EVENTS = sized(40, 100)
KILLS = sized(2, 10)
LEASES_DELETED = sized(1, 7)
LEASES_FROZEN_AWAY = sized(1, 3)
CUTS = sized(40, 500)
RESTARTS = sized(1, 2)
QUEUE = "numbers"
LEASE = f"careerlens:relay:{{{QUEUE}}}"
POSITION = position_key(QUEUE)


@dataclass
class Front:
    """A gateway, its process of now, and the proxy that its clients come through."""

    gateway: GatewayProcess
    proxy: FaultProxy
    chance: random.Random

    def start(self) -> None:
        self.process = self.gateway.start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    async def is_up(self) -> bool:
        assert self.process.poll() is None, self.gateway.log()
        return await self.gateway.answers()

    async def is_killed_and_restarted(self) -> None:
        self.stop()
        await asyncio.sleep(self.chance.uniform(0, 0.3))
        self.start()


@asynccontextmanager
async def two_fronts(folder: Path, url: str, chance: random.Random) -> AsyncIterator[list[Front]]:
    async with AsyncExitStack() as closing:
        fronts = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            gateway = GatewayProcess(folder / name, url)
            proxy = await closing.enter_async_context(fault_proxy(gateway.port))
            fronts.append(Front(gateway, proxy, chance))
            fronts[-1].start()
            closing.callback(fronts[-1].stop)
        for front in fronts:
            await eventually(front.is_up, within=60)
        yield fronts


class Faults:
    """Every fault that there will be, in an order of chance, and how many there were."""

    def __init__(
        self, server: Valkey, link: Link, fronts: list[Front], chance: random.Random
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._server = server
        self._link = link
        self._fronts = fronts
        self._chance = chance
        self._planned: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            *[("gateways killed", self._kill)] * KILLS,
            *[("leases lost", self._delete_lease)] * LEASES_DELETED,
            *[("leases lost", self._freeze_leader)] * LEASES_FROZEN_AWAY,
            *[("connections cut", self._cut)] * CUTS,
            *[("server restarts", self._restart)] * RESTARTS,
        ]
        chance.shuffle(self._planned)

    def has_done(self, share: float) -> bool:
        return self.counts.total() >= share * len(self._planned)

    async def happen(self) -> None:
        for name, fault in self._planned:
            # From then on there are numbers to tell, so that it happens in the middle of that.
            self.counts[name] += 1
            await fault()
            await asyncio.sleep(self._chance.uniform(0, 0.1))

    async def _kill(self) -> None:
        front = self._chance.choice(self._fronts)
        await eventually(front.is_up, within=60)
        await self._until_relayed()
        await front.is_killed_and_restarted()

    async def _delete_lease(self) -> None:
        holder = await self._holder()
        await self._until_relayed()
        await self._insist("DEL", LEASE)
        await self._is_another_than(holder)

    async def _freeze_leader(self) -> None:
        """Freeze one after the other until it was the one that led."""
        holder = await self._holder()
        await self._until_relayed()
        for front in self._chance.sample(self._fronts, 2):
            front.process.send_signal(signal.SIGSTOP)
            try:
                await self._is_another_than(holder, within=2 * LEASE_S)
            except AssertionError:
                continue
            else:
                return
            finally:
                front.process.send_signal(signal.SIGCONT)
        # Who led has handed over meanwhile.
        await self._delete_lease()

    async def _cut(self) -> None:
        await eventually(lambda: self._chance.choice(self._fronts).proxy.cut_one(self._chance))

    async def _restart(self) -> None:
        await self._until_relayed()
        await asyncio.to_thread(self._server.restart)

    async def _until_relayed(self) -> None:
        """Wait for the moment at which the position moves, or a second if nothing is told."""
        before = await self._insist("GET", POSITION)
        over_at = time.monotonic() + 1

        async def has_moved() -> bool:
            has_moved = await self._insist("GET", POSITION) != before
            return has_moved or time.monotonic() > over_at

        await eventually(has_moved, within=60, every=0.002)

    async def _holder(self) -> bytes:
        holder: bytes = await eventually(lambda: self._insist("GET", LEASE), within=60)
        return holder

    async def _is_another_than(self, holder: bytes, within: float = 60) -> None:
        async def is_another() -> bool:
            return await self._insist("GET", LEASE) not in {None, holder}

        await eventually(is_another, within=within)

    async def _insist(self, *command: str) -> Any:
        while True:
            try:
                return await self._link.call(*command)
            except ServiceUnavailableError:
                await asyncio.sleep(0.05)


class Source:
    """Jobs that tell their numbers, each number once, whatever becomes of a reply."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._driver = Driver(QUEUE, link)
        self.jobs: dict[str, list[str]] = {}

    async def open(self, users: list[str]) -> None:
        await self._driver.queue.open()
        await self._link.call("SADD", QUEUES_KEY, QUEUE)
        # The queue's stream is what the clients are compared with.
        await self._link.call("HSET", self._driver.queue.keys.meta, "opts.maxLenEvents", 1_000_000)
        self.jobs = {user: [await self._driver.add(user) for _ in range(TABS)] for user in users}

    async def tell(self, faults: Faults) -> None:
        """Spread the numbers over the time that the faults take, and end with a cancellation."""
        async with asyncio.TaskGroup() as tasks:
            for jobs in self.jobs.values():
                tasks.create_task(self._tell_of(jobs, faults))

    async def _tell_of(self, jobs: list[str], faults: Faults) -> None:
        for number in range(EVENTS):
            await eventually(partial(faults.has_done, number / EVENTS), within=600, every=0.05)
            for job_id in jobs:
                await self._report(job_id, number)
        for job_id in jobs:
            await eventually(partial(self._is_cancelled, job_id), within=60)

    async def _report(self, job_id: str, number: int) -> None:
        progress = {"percent": 1, "message": str(number)}
        while True:
            try:
                assert await self._driver.queue.update_progress(job_id, progress)
            except ServiceUnavailableError:
                if await eventually(partial(self._last_stored, job_id), within=60) == str(number):
                    return
            else:
                return

    async def _last_stored(self, job_id: str) -> str | None:
        try:
            record = await self._driver.queue.job(job_id)
        except CareerLensError:
            return None
        assert record is not None
        return str(record.progress["message"]) if isinstance(record.progress, dict) else "none"

    async def _is_cancelled(self, job_id: str) -> bool:
        try:
            outcome = await self._driver.queue.cancel(job_id)
        except CareerLensError:
            return False
        return outcome in {CancelOutcome.CANCELLED, CancelOutcome.ALREADY_FINAL}

    async def told(self) -> Counter[str]:
        """How often each number of each job stands in the queue's own stream."""
        counts: Counter[str] = Counter()
        start = "-"
        while page := await self._link.call(
            "XRANGE", self._driver.queue.keys.events, start, "+", "COUNT", 1_000
        ):
            for _, flat in page:
                fields = dict(zip(flat[::2], flat[1::2], strict=True))
                if fields[b"event"] == b"progress":
                    counts[fields[b"jobId"].decode()] += 1
            start = f"({page[-1][0].decode()}"
        return counts


LIFE = ["queued", *map(str, range(EVENTS)), "cancelled"]


def story(follower: Follower) -> dict[str, list[str]]:
    """What the client was told of each job, in order."""
    told: dict[str, list[str]] = {}
    for update in follower.entries:
        progress = update["progress"]
        told.setdefault(update["jobId"], []).append(
            progress["message"] if progress else update["event"]
        )
    return told


def foreign_to(follower: Follower) -> int:
    owners = [parse_job_id(update["jobId"]) for update in follower.entries]
    return sum(owner is None or owner.user_id != follower.user for owner in owners)


@pytest.mark.timeout(900)
async def test_every_client_has_every_event_once_and_in_order(
    valkey_factory: Callable[..., Valkey], tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    # Some ids are the beginning of others.
    users = [f"user-{number}" for number in range(USERS)]
    server = valkey_factory(durable=True, appendfsync="always")
    began = time.monotonic()
    async with (
        Link(server.url) as link,
        two_fronts(tmp_path, server.url, chance) as fronts,
        following(users * TABS, [front.proxy.port for front in fronts], chance) as followers,
    ):
        await all_connected(followers, within=60)
        source = Source(link)
        await source.open(users)
        faults = Faults(server, link, fronts, chance)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(faults.happen())
            tasks.create_task(source.tell(faults))
        each = TABS * len(LIFE)
        try:
            await eventually(
                lambda: all(len(one.entries) >= each for one in followers),
                within=sized(30, 120),
                every=0.2,
            )
        finally:
            show(
                "No gap",
                clients=len(followers),
                jobs=USERS * TABS,
                **{name.replace(" ", "_"): count for name, count in faults.counts.items()},
                connects=sum(one.connects for one in followers),
                expected=each * len(followers),
                told=sum(len(one.entries) for one in followers),
                distinct=sum(len({entry["id"] for entry in one.entries}) for one in followers),
                misordered=sum(one.misordered() for one in followers),
                foreign=sum(foreign_to(one) for one in followers),
                resyncs=sum(len(one.resyncs) for one in followers),
                seconds=round(time.monotonic() - began),
            )
        assert set((await source.told()).values()) == {EVENTS}, "the source itself repeated"
        for follower in followers:
            assert story(follower) == dict.fromkeys(source.jobs[follower.user], LIFE)
            assert follower.misordered() == 0
            assert follower.resyncs == []
        assert faults.counts == {
            "gateways killed": KILLS,
            "leases lost": LEASES_DELETED + LEASES_FROZEN_AWAY,
            "connections cut": CUTS,
            "server restarts": RESTARTS,
        }
        assert sum(front.proxy.cuts for front in fronts) == CUTS
