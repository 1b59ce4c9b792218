"""Wake-ups are lost, clients vanish and come back, and join at the worst moment: nothing is missed.

`make soak` does each at full size.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from careerlens.jobs.keys import feed_key
from careerlens.realtime.entries import START
from careerlens.realtime.fanout import Fanout
from careerlens.realtime.feed import Feed
from faults import fault_proxy
from figures import IS_WHOLE, show, sized
from following import Follower, all_connected, following
from gateway_process import GatewayProcess
from gateways import running_gateway
from support import eventually
from telling import Teller

SEED = 7


def missed_and_more(followers: Sequence[Follower], teller: Teller) -> dict[str, int]:
    """What the clients were told, compared with what stands in their feeds."""
    counts = {"expected": 0, "told": 0, "missed": 0, "doubled": 0, "misordered": 0, "foreign": 0}
    for one in followers:
        told, expected = [entry["id"] for entry in one.entries], teller.ids[one.user]
        counts["expected"] += len(expected)
        counts["told"] += len(told)
        counts["missed"] += len(set(expected) - set(told))
        counts["doubled"] += len(told) - len(set(told))
        counts["misordered"] += one.misordered()
        counts["foreign"] += sum(entry["jobId"] != f"{one.user}-job" for entry in one.entries)
    return counts


async def have_everything(followers: Sequence[Follower], teller: Teller, within: float) -> None:
    await eventually(
        lambda: all(one.last == teller.ids[one.user][-1] for one in followers),
        within=within, every=0.1,
    )  # fmt: skip


async def test_wake_ups_that_are_lost_cost_nobody_an_entry(redis: Redis, redis_url: str) -> None:
    """Every tenth is never published. The next one, or the sweep, makes up for it."""
    users = [f"user-{number}" for number in range(sized(20, 200))]
    chance = random.Random(SEED)
    teller = Teller(redis)
    async with (
        running_gateway(redis_url) as gateway,
        following(users, [gateway.port], chance) as followers,
    ):
        await all_connected(followers)
        for _ in range(sized(10, 50)):
            loses_wake = [chance.random() < 0.1 for _ in users]
            await teller.tell(users, loses_wake=loses_wake)
            await asyncio.sleep(chance.uniform(0, 0.2))
        await have_everything(followers, teller, within=sized(30, 60))
    delays = sorted(
        heard - float(entry["progress"]["message"])
        for one in followers
        for entry, heard in zip(one.entries, one.heard_at, strict=True)
    )
    counts = missed_and_more(followers, teller)
    show(
        "J4",
        clients=len(users),
        wake_ups_lost=teller.wakes_lost,
        **counts,
        p50_s=round(delays[len(delays) // 2], 3),
        p99_s=round(delays[len(delays) * 99 // 100], 3),
        longest_s=round(delays[-1], 3),
    )
    assert teller.wakes_lost
    assert_all_is_told(followers, counts)
    if IS_WHOLE:
        assert delays[len(delays) * 99 // 100] < 2.0


def assert_all_is_told(followers: Sequence[Follower], counts: dict[str, int]) -> None:
    assert counts["told"] == counts["expected"] > 0
    assert counts["missed"] == counts["doubled"] == counts["misordered"] == counts["foreign"] == 0
    assert not any(one.resyncs for one in followers)


@pytest.mark.timeout(1_200)
async def test_clients_that_vanish_and_come_back_have_every_entry_once_and_in_order(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    """All are cut off at once, for as long as ten minutes; those that are back again and again.

    A thousand users have two clients each.
    """
    users = [f"user-{number}" for number in range(sized(40, 1_000))]
    total, longest_s, cuts = sized(1_200, 50_000), sized(1, 600), sized(100, 4_000)
    chance = random.Random(SEED)
    lengths = iter(chance.sample(lengths_up_to(longest_s, 2 * len(users)), 2 * len(users)))
    teller = Teller(redis)
    gateway = GatewayProcess(tmp_path, redis_url)

    def away(one: Follower) -> float:
        return next(lengths) if one.connects == 1 else chance.uniform(0, longest_s / 20)

    with gateway.running():
        await eventually(gateway.answers, within=60)
        async with (
            fault_proxy(gateway.port) as proxy,
            following(users * 2, [proxy.port], chance, away=away) as followers,
        ):
            await all_connected(followers, within=120)
            proxy.cut_all()
            loads = 100
            for number in range(loads):
                await teller.tell([chance.choice(users) for _ in range(total // loads)])
                while proxy.cuts < cuts * (number + 1) // loads:
                    await eventually(lambda: proxy.cut_one(chance))
                await asyncio.sleep(chance.uniform(0, 2 * longest_s / loads))
            # Nobody is without an entry, so that everybody has a last one.
            await teller.tell(users)
            await have_everything(followers, teller, within=sized(30, 120))
    counts = missed_and_more(followers, teller)
    absences_s = [absence_s for one in followers for absence_s in one.absences_s]
    show(
        "J5",
        clients=len(followers),
        entries=sum(map(len, teller.ids.values())),
        cuts=len(followers) + proxy.cuts,
        absences=len(absences_s),
        **{
            f"longer_than_{limit}_s": sum(absence_s > limit for absence_s in absences_s)
            for limit in (1, 10, 60, 300)
        },
        longest_s=round(max(absences_s), 1),
        resyncs=sum(len(one.resyncs) for one in followers),
        **counts,
    )
    assert_all_is_told(followers, counts)
    assert max(absences_s) >= longest_s


def lengths_up_to(longest_s: float, count: int) -> list[float]:
    """From a six-hundredth of the longest on, each longer than the one before by the same share."""
    return [longest_s * 600 ** (number / (count - 1) - 1) for number in range(count)]


@pytest.mark.parametrize(("left", "asks_again"), [(10, False), (11, False), (9, True), (0, True)])
async def test_only_a_client_that_was_away_for_longer_than_its_feed_is_kept_asks_again(
    redis: Redis, redis_url: str, left: int, asks_again: bool
) -> None:
    """It has the first of ten entries. What is left begins at it, before it, or after it."""
    teller = Teller(redis)
    await teller.tell(["ada"] * 12)
    async with running_gateway(redis_url) as gateway:
        await redis.xtrim(feed_key("ada"), maxlen=left, approximate=False)
        chance, last = random.Random(SEED), teller.ids["ada"][2]
        async with following(["ada"], [gateway.port], chance, last=last) as (client,):
            await all_connected([client])
            await eventually(lambda: client.resyncs or client.entries)
            await teller.tell(["ada"])
            await eventually(lambda: client.last == teller.ids["ada"][-1])
        told = [entry["id"] for entry in client.entries]
    assert bool(client.resyncs) is asks_again
    assert told == (teller.ids["ada"][-1:] if asks_again else teller.ids["ada"][3:])


class Joining:
    """A socket that joins a feed at some moment, and reads a few entries."""

    has_backlog = False

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send_entries(self, frames: Sequence[bytes], joined: bytes) -> None:
        self.frames += frames

    async def room(self) -> bool:
        return True

    def give_up(self) -> None:
        raise AssertionError("the feed failed")

    @property
    def ids(self) -> list[str]:
        return [frame.partition(b'"id":"')[2].partition(b'"')[0].decode() for frame in self.frames]


async def test_who_joins_while_entries_are_appended_misses_none(
    redis: Redis, redis_url: str
) -> None:
    """Two roads, each with its own way of going from what was to what comes."""
    races, few = sized(1_000, 10_000), 3
    users = [f"user-{number}" for number in range(4)]
    chance = random.Random(SEED)
    teller = Teller(redis)
    await teller.tell(users)
    seen: list[tuple[str, str, list[str]]] = []
    async with Feed(redis_url) as feed:
        fanout = Fanout(feed)

        async def by_socket(user: str, place: str | None) -> list[str]:
            receiver = Joining()
            end = await fanout.position(user)
            resume_at = end if place is None else place
            delivery = fanout.deliver(user, receiver, resume_at=resume_at, end=end)
            try:
                await eventually(lambda: len(receiver.frames) >= few, within=60, every=0.005)
            finally:
                delivery.leave()
            return [resume_at, *receiver.ids]

        async def by_stream(user: str, place: str | None) -> list[str]:
            start = place if place is not None else await feed.position(user)
            ids = [start]
            async with aclosing(feed.follow(user, start)) as entries, asyncio.timeout(60):
                async for entry in entries:
                    ids.append(entry.id)
                    if len(ids) > few:
                        break
            return ids

        async def race(number: int) -> None:
            user = chance.choice(users)
            place = chance.choice([None, START, *teller.ids[user][-4:]])
            road = by_socket if number % 2 else by_stream
            seen.append((road.__name__, user, await road(user, place)))

        async with appending(teller, users, chance):
            for start in range(0, races, 50):
                await asyncio.gather(*(race(number) for number in range(start, start + 50)))
    wrong = [one for one in seen if not goes_on_without_gap(one[2], [START, *teller.ids[one[1]]])]
    show("J6", races=races, entries=sum(map(len, teller.ids.values())), wrong=len(wrong))
    assert wrong == []


def goes_on_without_gap(ids: list[str], known: list[str]) -> bool:
    """Whether the ids follow each other in the feed, from the place of the first on."""
    first = known.index(ids[0])
    return ids == known[first : first + len(ids)]


@asynccontextmanager
async def appending(
    teller: Teller, users: Sequence[str], chance: random.Random
) -> AsyncIterator[None]:
    is_over = False

    async def append() -> None:
        while not is_over:
            await teller.tell(chance.choices(users, k=3))
            await asyncio.sleep(chance.uniform(0, 0.004))

    task = asyncio.create_task(append())
    try:
        yield
    finally:
        is_over = True
        await task
