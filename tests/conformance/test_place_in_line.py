"""Jobs in line are told their place and how long it may take, by every road, on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apis import RunningApi, running_api, running_worker
from careerlens.foundation.clock import epoch_ms
from careerlens.jobs import pace
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import Registry, job
from careerlens.jobs.manager import JobManager
from careerlens.jobs.model import WireModel
from careerlens.queue import JobOptions, NewJob, Queue, QueueState
from careerlens.realtime.feed import Feed
from careerlens.realtime.sse import event_stream
from careerlens.wire import Link
from careerlens.wire.calls import QueueCalls, fetch_options
from gateways import connected, running_gateway
from job_requests import at, create, reaches, status
from support import eventually

QUEUE = "line"


class Wish(WireModel):
    endless: bool = False


@job("piece-of-work", attempts=1)
async def piece_of_work(ctx: JobContext, data: Wish) -> None:
    """Be done at once, or never."""
    if data.endless:
        await asyncio.Event().wait()


REGISTRY = Registry.of(piece_of_work)


@pytest.fixture
async def api(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningApi]:
    """One that looks at the pace of a queue each time it is asked."""
    monkeypatch.setattr(pace, "FRESH_S", -1.0)
    async with running_api(redis_url, tmp_path, registry=REGISTRY) as running:
        yield running


@pytest.fixture
async def client(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client("ada") as made:
        yield made


async def piece(client: httpx.AsyncClient, *, endless: bool = False) -> str:
    return await create(client, type="piece-of-work", endless=endless)


async def place(client: httpx.AsyncClient, job_id: str) -> Any:
    return (await status(client, job_id))["queue"]


async def positions(queue: Queue, job_ids: list[str]) -> list[int | None]:
    found = await queue.standings(job_ids)
    return [standing.place.position if standing.place else None for standing in found]


async def take(link: Link, queue: Queue) -> str:
    calls = QueueCalls(queue.keys)
    taken = await link.run(*calls.take(epoch_ms(), fetch_options("token", 60_000, None, None)))
    return str(taken[1].decode())


KINDS = st.sampled_from(
    [JobOptions(), JobOptions(lifo=True), *(JobOptions(priority=number) for number in (1, 2, 9))]
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kinds=st.lists(KINDS, min_size=1, max_size=12))
async def test_positions_are_the_order_in_which_jobs_are_taken(
    redis_url: str, kinds: list[JobOptions]
) -> None:
    async with Link(redis_url) as link:
        await link.call("FLUSHDB")
        queue = Queue(QUEUE, link)
        wanted = [NewJob(name=QUEUE, data={}, options=options) for options in kinds]
        added = await queue.add_bulk(wanted)
        told = dict(zip(await positions(queue, added), added, strict=True))
        assert sorted(told, key=lambda number: number or 0) == list(range(1, len(added) + 1))
        for number in range(1, len(added) + 1):
            taken = await take(link, queue)
            assert taken == told[number]
            standing = (await queue.standings([taken]))[0]
            assert (standing.state, standing.place) == (QueueState.ACTIVE, None)


async def test_in_a_long_line_without_priorities_only_the_first_are_told(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue(QUEUE, link)
        added = await queue.add_bulk([NewJob(name=QUEUE, data={})] * 1_500)
        assert await positions(queue, [added[0], added[999], added[1_000], added[-1]]) == [
            1, 1_000, None, None,
        ]  # fmt: skip
        later = await queue.add(QUEUE, {}, JobOptions(priority=1))
        assert await positions(queue, [later]) == [1_501]


async def test_only_who_waits_in_line_has_a_place(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue(QUEUE, link)
        delayed = await queue.add(QUEUE, {}, JobOptions(delay_ms=600_000))
        waiting, over = [await queue.add(QUEUE, {}, JobOptions(priority=1)) for _ in range(2)]
        await queue.cancel(over)
        assert await positions(queue, [delayed, waiting, over, "none"]) == [None, 1, None, None]


async def test_the_line_moves_up_in_status_and_list(
    api: RunningApi, client: httpx.AsyncClient
) -> None:
    async with api.client("bob") as bob:
        first, second, third = await piece(client), await piece(bob), await piece(client)
        assert await place(client, first) == {"position": 1, "estimatedWaitMs": None}
        assert await place(bob, second) == {"position": 2, "estimatedWaitMs": None}
        await client.post(at(first, "cancel"))
        assert (await place(bob, second))["position"] == 1
    listed = (await client.get("/api/jobs")).json()["jobs"]
    assert [(each["jobId"], each["queue"]["position"]) for each in listed] == [(third, 2)]
    assert await place(client, first) is None


async def test_a_wait_is_estimated_while_workers_live(
    client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    # A limit of starts keeps the worker from taking jobs ahead, which would wait in it as running.
    limited = {"worker_concurrency": 2, "worker_max_jobs": 600}
    changes: dict[str, Any] = limited | {"shutdown_seconds": 0.5}
    async with running_worker(redis_url, tmp_path, registry=REGISTRY, **changes):
        for _ in range(3):
            await reaches(client, await piece(client), "completed")
        running = [await piece(client, endless=True) for _ in range(2)]
        for job_id in running:
            assert (await reaches(client, job_id, "processing"))["queue"] is None
        waiting = [await piece(client) for _ in range(4)]
        told = [await place(client, job_id) for job_id in waiting]
        assert [each["position"] for each in told] == [1, 2, 3, 4]
        waits = [each["estimatedWaitMs"] for each in told]
        assert waits == sorted(waits)
        assert all(wait >= 100 * number for number, wait in enumerate(waits, start=1))
        async with Link(redis_url) as link:
            await Queue("piece-of-work", link).pause()
            assert (await place(client, waiting[0]))["estimatedWaitMs"] is None
            await link.call("HDEL", Queue("piece-of-work", link).keys.meta, "paused")
    assert (await place(client, waiting[-1]))["estimatedWaitMs"] is None, (
        "nobody is there to run it"
    )


async def test_sockets_are_told_with_the_snapshot(
    client: httpx.AsyncClient, redis_url: str
) -> None:
    ahead, job_id = await piece(client), await piece(client)
    async with running_gateway(redis_url) as gateway, connected(gateway, "ada") as socket:
        answer = await socket.call("subscribe:job", job_id)
        assert answer["status"]["queue"] == {"position": 2, "estimatedWaitMs": None}
        assert socket.all("job:status") == [answer["status"]]
        await client.post(at(ahead, "cancel"))
        answer = await socket.call("subscribe:job", {"jobId": job_id})
        assert answer["status"]["queue"]["position"] == 1


async def test_a_stream_tells_when_its_job_has_moved_up(redis_url: str) -> None:
    async with Link(redis_url) as link, Feed(redis_url) as feed:
        manager = JobManager(link, REGISTRY)
        ahead, ours = [
            (await manager.create_job("piece-of-work", {}, "ada")).job_id for _ in range(2)
        ]
        stream = await event_stream(feed, manager, "ada", ours, ping_interval_s=0.05)
        async with aclosing(stream) as events:
            beginning = (await anext(events)).decode()
            assert "\nid: " in beginning
            assert json.loads(beginning.partition("data: ")[2])["queue"]["position"] == 2
            assert [await anext(events) for _ in range(3)] == [b": ping\n\n"] * 3
            await manager.cancel_job(ahead, "ada")

            async def moved() -> str:
                event = (await anext(events)).decode()
                assert event.startswith("event:"), "only a ping"
                return event

            told = await eventually(moved)
            assert told.startswith("event: job:status\ndata: "), "no id: nobody resumes there"
            assert json.loads(told.partition("data: ")[2])["queue"]["position"] == 1


async def test_run_times_are_those_of_jobs_that_ran(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue(QUEUE, link)
        assert await queue.run_times_ms(50) == []
        never_ran = await queue.add(QUEUE, {}, JobOptions(priority=1))
        await queue.cancel(never_ran)
        for number, key in enumerate((queue.keys.completed, queue.keys.failed)):
            for each in range(3):
                job_id, ended = f"{number}-{each}", 1_000_000 + 10 * each + number
                await link.call("ZADD", key, ended, job_id)
                took = 100 * each + number
                await link.call(
                    "HSET", queue.keys.job(job_id),
                    "name", QUEUE, "processedOn", ended - took, "finishedOn", ended,
                )  # fmt: skip
        assert await queue.run_times_ms(50) == [201, 200, 101, 100, 1, 0]
        assert await queue.run_times_ms(4) == [201, 200, 101]
