"""The event stream over HTTP, with relay and worker: the whole way, and what breaks it off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from apis import RunningApi, running_api, running_worker
from careerlens.realtime.relay import Relay
from job_requests import at, create, reaches
from support import eventually
from team_jobs import REGISTRY


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[RunningApi]:
    relaying = asyncio.create_task(Relay(redis_url, REGISTRY).run())
    async with running_api(redis_url, tmp_path) as running:
        yield running
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)


async def read(
    client: httpx.AsyncClient, job_id: str, **headers: str
) -> list[tuple[str, str, dict[str, Any]]]:
    """Every event until the stream ends: name, id and data."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    async with client.stream("GET", at(job_id, "events"), headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"] == "no-store"
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                event_id = fields.get("id", "")
                found.append((fields["event"], event_id, json.loads(fields["data"])))
                fields = {}
    return found


async def test_a_job_is_told_from_its_status_to_its_end(
    api: RunningApi, client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    job_id = await create(client)
    reading = asyncio.create_task(read(client, job_id))
    await eventually(lambda: api.app.state.services.feed.channels)
    async with running_worker(redis_url, tmp_path):
        events = await asyncio.wait_for(reading, 20)
    assert events[0][0] == "job:status"
    assert events[0][2]["jobId"] == job_id
    kinds = [data["event"] for name, _, data in events[1:] if name == "job:update"]
    assert kinds[-3:] == ["progress", "progress", "completed"]
    ids = [tuple(map(int, event_id.split("-"))) for _, event_id, _ in events]
    assert ids[1:] == sorted(set(ids[1:]))


async def test_a_stream_goes_on_where_it_was_cut(
    api: RunningApi, client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    job_id = await create(client)
    reading = asyncio.create_task(read(client, job_id))
    await eventually(lambda: api.app.state.services.feed.channels)
    async with running_worker(redis_url, tmp_path):
        whole = await asyncio.wait_for(reading, 20)
        await reaches(client, job_id, "completed")
    updates = [event for event in whole if event[0] == "job:update"]
    rest = await asyncio.wait_for(read(client, job_id, **{"last-event-id": updates[0][1]}), 20)
    assert [event for event in rest if event[0] == "job:update"] == updates[1:]


async def test_a_stopping_server_ends_its_streams(redis_url: str, tmp_path: Path) -> None:
    async with running_api(redis_url, tmp_path) as api, api.client("user-1") as client:
        job_id = await create(client)
        reading = asyncio.create_task(read(client, job_id))
        await eventually(lambda: api.app.state.services.feed.channels)
        api.app.state.services.streams.stop()
        events = await asyncio.wait_for(reading, 5)
        assert [name for name, _, _ in events] == ["job:status", "closed"]
        assert events[-1][2]["code"] == "draining"


async def test_a_reader_that_leaves_is_forgotten(redis_url: str, tmp_path: Path) -> None:
    async with running_api(redis_url, tmp_path) as api, api.client("user-1") as client:
        job_id = await create(client)
        feed = api.app.state.services.feed
        async with client.stream("GET", at(job_id, "events")) as response:
            assert response.status_code == 200
            await eventually(lambda: feed.channels)
        await eventually(lambda: not feed.channels)


async def test_an_expired_token_ends_its_stream(redis_url: str, tmp_path: Path) -> None:
    async with running_api(redis_url, tmp_path) as api:
        async with api.client("user-1") as client:
            job_id = await create(client)
        async with api.client("user-1", lives=2) as client:
            events = await asyncio.wait_for(read(client, job_id), 20)
        assert [name for name, _, _ in events] == ["job:status", "closed"]
        assert events[-1][2]["code"] == "token_expired"


async def test_the_place_of_another_user_shows_nothing_of_theirs(
    api: RunningApi, redis_url: str, tmp_path: Path
) -> None:
    async with api.client("user-1") as one, api.client("user-2") as two:
        async with running_worker(redis_url, tmp_path):
            theirs, own = await create(one), await create(two)
            for client, job_id in ((one, theirs), (two, own)):
                await reaches(client, job_id, "completed")
        for place in {event[1] for event in await read(one, theirs)} | {"0-0", "*", "$", "9" * 40}:
            events = await asyncio.wait_for(read(two, own, **{"last-event-id": place}), 20)
            assert {data["jobId"] for _, _, data in events} == {own}
