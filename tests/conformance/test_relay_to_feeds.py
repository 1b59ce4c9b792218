"""What happens to a job reaches its owner's feed: once, in order, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from careerlens.jobs.keys import live_key, live_member
from careerlens.jobs.model import JobEventKind, JobStatus
from careerlens.queue import JobOptions
from careerlens.realtime.entries import Resync
from careerlens.realtime.feed import Feed
from careerlens.realtime.relay import Relay
from careerlens.wire.calls import QueueCalls
from careerlens.wire.link import Link
from queue_driving import Driver
from relaying import everything, relay_process, running_relay, told, updates
from support import eventually

WHOLE_LIFE = ["queued", "processing", "progress 30", "progress 60", "completed"]


@pytest.fixture
async def feed(redis_url: str) -> AsyncIterator[Feed]:
    async with Feed(redis_url) as feed:
        yield feed


@pytest.fixture
def driver(link: Link) -> Driver:
    return Driver("echo", link)


async def live(link: Link, user: str) -> list[str]:
    return [member.decode() for member in await link.call("ZRANGE", live_key(user), 0, -1)]


async def leads(relay: Relay) -> None:
    await eventually(lambda: relay.leading == {"echo"})


async def live_a_whole_life(driver: Driver) -> str:
    job_id, token = await driver.take()
    for percent in (30, 60):
        await driver.queue.update_progress(job_id, {"percent": percent, "message": "Working"})
    return await driver.finish((job_id, token), "completed", {"answer": 42})


async def test_a_whole_life_is_told_in_order(redis_url: str, driver: Driver, feed: Feed) -> None:
    async with running_relay(redis_url, "echo"):
        job_id = await driver.add("ada")
        await live_a_whole_life(driver)
        assert await told(feed, "ada", 5) == WHOLE_LIFE
    for update in await updates(feed, "ada"):
        assert (update.job_id, update.type) == (job_id, "echo")


async def test_what_happened_before_the_first_relay_is_told_too(
    redis_url: str, driver: Driver, feed: Feed
) -> None:
    await driver.add("ada")
    await live_a_whole_life(driver)
    async with running_relay(redis_url, "echo"):
        assert await told(feed, "ada", 5) == WHOLE_LIFE


async def test_a_queue_is_found_by_its_use(redis_url: str, link: Link, feed: Feed) -> None:
    async with running_relay(redis_url):
        await link.call("SADD", "careerlens:queues", "late")
        await Driver("late", link).add("ada")
        assert await told(feed, "ada", 1) == ["queued"]


async def test_a_queue_whose_name_cannot_be_is_left_alone(
    redis_url: str, link: Link, feed: Feed
) -> None:
    await link.call("SADD", "careerlens:queues", "a:b", "echo")
    async with running_relay(redis_url):
        await Driver("echo", link).add("ada")
        assert await told(feed, "ada", 1) == ["queued"]


@pytest.mark.parametrize("job_id", ["42", "0195-uuid", "order/7", "{x}"])
async def test_a_job_of_a_foreign_producer_reaches_the_owner_named_in_its_data(
    redis_url: str, link: Link, driver: Driver, feed: Feed, job_id: str
) -> None:
    async with running_relay(redis_url, "echo"):
        if job_id == "42":
            await link.call("SET", driver.queue.keys.sequence, 41)
        options = JobOptions(job_id=None if job_id == "42" else job_id)
        assert await driver.queue.add("echo", {"userId": "ada"}, options) == job_id
        assert await told(feed, "ada", 1) == ["queued"]
        await eventually(lambda: live(link, "ada"))
        assert await live(link, "ada") == [live_member("echo", job_id)]
        await live_a_whole_life(driver)
        assert await told(feed, "ada", 5) == WHOLE_LIFE
        assert await live(link, "ada") == []


@pytest.mark.parametrize("data", [{}, {"userId": 7}, {"userId": ""}, {"userId": ["ada"]}])
async def test_a_job_that_names_no_owner_is_told_to_nobody(
    redis_url: str, link: Link, driver: Driver, feed: Feed, data: dict[str, object]
) -> None:
    async with running_relay(redis_url, "echo"):
        await driver.queue.add("echo", data)
        await driver.add("ada")
        assert await told(feed, "ada", 1) == ["queued"]
    assert await link.call("KEYS", "careerlens:{*}:feed") == [b"careerlens:{ada}:feed"]


async def test_an_id_of_ours_belongs_to_the_user_in_it_whatever_the_data_claims(
    redis_url: str, driver: Driver, feed: Feed
) -> None:
    async with running_relay(redis_url, "echo"):
        await driver.queue.add(
            "echo",
            {"userId": "mallory"},
            JobOptions(job_id="ada:echo:1700000000000:AAAAAAAAAAAAAAAA"),
        )
        assert await told(feed, "ada", 1) == ["queued"]
    assert await everything(feed, "mallory") == []


async def test_users_whose_ids_share_a_prefix_are_told_of_their_own_jobs_alone(
    redis_url: str, driver: Driver, feed: Feed
) -> None:
    users = ["user-1", "user-12", "a", "a:b", "A", "a%3Ab"]
    ids = {user: await driver.add(user) for user in users}
    async with running_relay(redis_url, "echo"):
        for user in users:
            assert await told(feed, user, 1) == ["queued"]
            assert [update.job_id for update in await updates(feed, user)] == [ids[user]]


async def test_adding_a_job_twice_is_told_once(redis_url: str, driver: Driver, feed: Feed) -> None:
    job_id = await driver.add("ada")
    await driver.queue.add("echo", {"userId": "ada"}, JobOptions(job_id=job_id))
    await driver.add("ada")
    async with running_relay(redis_url, "echo"):
        assert await told(feed, "ada", 2) == ["queued", "queued"]
    assert len({update.job_id for update in await updates(feed, "ada")}) == 2


async def test_an_attempt_that_failed_is_told_as_retrying_with_its_time(
    redis_url: str, link: Link, driver: Driver, feed: Feed
) -> None:
    calls = QueueCalls(driver.queue.keys)
    async with running_relay(redis_url, "echo"):
        await driver.add("ada")
        job_id, token = await driver.take()
        now = 1_700_000_000_000
        assert await link.run(*calls.delay(job_id, now, token, 5_000, {"failedReason": "no"})) == 0
        await told(feed, "ada", 3)
    retrying = (await updates(feed, "ada"))[2]
    assert (retrying.event, retrying.status) == (JobEventKind.RETRYING, JobStatus.QUEUED)
    assert (retrying.attempts_made, retrying.delayed_until) == (1, now + 5_000)


async def test_a_job_handed_back_is_queued_again(
    redis_url: str, link: Link, driver: Driver, feed: Feed
) -> None:
    async with running_relay(redis_url, "echo"):
        await driver.add("ada")
        job_id, token = await driver.take()
        await link.run(*QueueCalls(driver.queue.keys).hand_back(job_id, token))
        assert await told(feed, "ada", 3) == ["queued", "processing", "queued"]


async def test_failing_cancelling_and_removing_are_told_apart(
    redis_url: str, link: Link, driver: Driver, feed: Feed
) -> None:
    async with running_relay(redis_url, "echo"):
        await driver.add("ada")
        await driver.finish(await driver.take(), "failed", "The file is locked", code="pdf_locked")
        await driver.queue.cancel(await driver.add("ada"))
        await driver.queue.remove(await driver.add("ada"))
        assert (await told(feed, "ada", 7))[2:] == [
            "failed", "queued", "cancelled", "queued", "removed",
        ]  # fmt: skip
        assert await live(link, "ada") == []
    failed = (await updates(feed, "ada"))[2]
    assert (failed.error, failed.error_code) == ("The file is locked", "pdf_locked")


async def test_progress_too_deep_to_be_told_asks_for_a_resync_and_stops_nothing(
    redis_url: str, driver: Driver, link: Link, feed: Feed
) -> None:
    async with running_relay(redis_url, "echo"):
        job_id = await driver.add("ada")
        poison = '{"percent": 1, "data": ' + '{"in":' * 600 + "1" + "}" * 601
        await link.run(*QueueCalls(driver.queue.keys).progress(job_id, poison))
        await driver.run_one()

        async def is_told() -> bool:
            return len(await everything(feed, "ada")) == 4

        await eventually(is_told)
    assert isinstance((await everything(feed, "ada"))[1], Resync)


async def test_feeds_are_bounded_and_expire(
    redis_url: str, link: Link, driver: Driver, feed: Feed
) -> None:
    async with running_relay(redis_url, "echo"):
        await driver.add("ada")
        await told(feed, "ada", 1)
    assert 47 * 3600 < await link.call("TTL", "careerlens:{ada}:feed") <= 48 * 3600


async def test_relays_that_come_and_go_lose_and_repeat_nothing(
    redis_url: str, driver: Driver, feed: Feed
) -> None:
    users = ["ada", "bob", "cy"]
    for round_number in range(6):
        async with running_relay(redis_url, "echo") as relay:
            for user in users:
                await driver.add(user)
                await live_a_whole_life(driver)
            if round_number % 2:
                await leads(relay)
    async with running_relay(redis_url, "echo"):
        for user in users:
            assert await told(feed, user, 30) == WHOLE_LIFE * 6


async def test_of_many_relays_one_leads_and_nothing_is_told_twice(
    redis_url: str, driver: Driver, feed: Feed
) -> None:
    async with (
        running_relay(redis_url, "echo") as one,
        running_relay(redis_url, "echo") as two,
        running_relay(redis_url, "echo") as three,
    ):
        for _ in range(20):
            await driver.add("ada")
            await live_a_whole_life(driver)
        assert await told(feed, "ada", 100) == WHOLE_LIFE * 20
        assert [len(relay.leading) for relay in (one, two, three)].count(1) == 1


async def test_a_leader_that_leaves_gives_its_lease_back_at_once(
    redis_url: str, link: Link
) -> None:
    async with running_relay(redis_url, "echo") as relay:
        await leads(relay)
    assert await link.call("EXISTS", "careerlens:relay:{echo}") == 0


async def test_a_trimmed_stream_asks_owners_of_its_live_jobs_to_resync_and_nobody_else(
    redis_url: str, link: Link, driver: Driver, feed: Feed
) -> None:
    other = Driver("other", link)
    async with running_relay(redis_url, "echo", "other"):
        await driver.add("done")
        await driver.run_one()
        await told(feed, "done", 3)
        await driver.add("ada")
        await other.add("bob")
        await told(feed, "ada", 1)
        await told(feed, "bob", 1)
    await link.call("ZADD", live_key("ada"), 1, live_member("echo", "x"))
    await link.call("ZADD", live_key("bob"), 1, live_member("other", "x"))
    await driver.queue.add("echo", {"userId": "foreign"}, JobOptions(job_id="unseen-1"))
    await link.call("XTRIM", driver.queue.keys.events, "MAXLEN", 1)
    async with running_relay(redis_url, "echo", "other"):

        async def is_told(user: str) -> bool:
            return any(isinstance(entry, Resync) for entry in await everything(feed, user))

        await eventually(lambda: is_told("ada"))
        await eventually(lambda: is_told("foreign"))
        await driver.add("ada")
        await eventually(lambda: live(link, "foreign"))
    resyncs = [entry for entry in await everything(feed, "ada") if isinstance(entry, Resync)]
    assert [resync.reason for resync in resyncs] == ["events_trimmed"]
    assert not await is_told("bob")
    assert not await is_told("done")


async def test_a_position_ahead_of_the_stream_is_rewound(
    redis_url: str, link: Link, driver: Driver, feed: Feed
) -> None:
    await driver.add("ada")
    await link.call("SET", "careerlens:relay:{echo}:position", "99999999999999-9")
    async with running_relay(redis_url, "echo") as relay:
        await leads(relay)

        async def position() -> bool:
            stored = await link.call("GET", "careerlens:relay:{echo}:position")
            return bool(stored != b"99999999999999-9")

        await eventually(position)
        await driver.add("ada")
        await driver.add("bob")
        assert await told(feed, "bob", 1) == ["queued"]
    entries = await everything(feed, "ada")
    assert isinstance(entries[0], Resync)
    assert len(entries) == 2


async def test_clean_restarts_raise_no_false_alarm(
    redis_url: str, driver: Driver, feed: Feed
) -> None:
    for number in range(1, 11):
        async with running_relay(redis_url, "echo"):
            await driver.add("ada")
            assert len(await told(feed, "ada", number)) == number


async def test_a_relay_of_another_process_is_stood_by_for(
    redis_url: str, driver: Driver, feed: Feed
) -> None:
    with relay_process(redis_url, "echo"):
        await driver.add("ada")
        assert await told(feed, "ada", 1, within=20) == ["queued"]
        async with running_relay(redis_url, "echo") as relay:
            await driver.add("ada")
            assert await told(feed, "ada", 2) == ["queued", "queued"]
            assert not relay.leading
