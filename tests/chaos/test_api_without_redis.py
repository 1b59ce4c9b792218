"""Redis that is away, or hangs: a quick clear answer, nothing lost, and back by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import redis

from apis import running_api, running_worker
from conftest import ValkeyFactory
from job_requests import at, create, reaches, status
from support import Valkey, eventually

BODY = {"type": "cover-letter", "targetRole": "Editor"}
ANSWER_WITHIN_S = 2.5


@pytest.fixture
def server(valkey_factory: ValkeyFactory) -> Valkey:
    return valkey_factory(durable=True)


@pytest.fixture
async def client(server: Valkey, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_api(server.url, tmp_path) as api, api.client("user-1") as made:
        yield made


async def assert_unavailable(call: Callable[[], Awaitable[httpx.Response]]) -> None:
    started = time.monotonic()
    response = await call()
    assert time.monotonic() - started < ANSWER_WITHIN_S
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    assert "Traceback" not in response.text


async def assert_every_route_says_so(client: httpx.AsyncClient, job_id: str) -> None:
    files = {"resume": ("cv.txt", b"text")}
    calls: list[Callable[[], Awaitable[httpx.Response]]] = [
        lambda: client.post("/api/jobs", json=BODY),
        lambda: client.post("/api/jobs", data=BODY, files=files),
        lambda: client.post("/api/jobs", json=BODY, headers={"idempotency-key": "k"}),
        lambda: client.get("/api/jobs"),
        lambda: client.get(at(job_id, "status")),
        lambda: client.get(at(job_id, "events")),
        lambda: client.post(at(job_id, "cancel")),
    ]
    await asyncio.gather(*map(assert_unavailable, calls))
    assert (await client.get("/health/live")).status_code == 200
    ready = await client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["checks"]["redis"] == "unavailable"


async def can_create(client: httpx.AsyncClient) -> bool:
    return (await client.post("/api/jobs", json=BODY)).status_code == 202


async def test_a_start_without_redis_waits_for_it(server: Valkey, tmp_path: Path) -> None:
    server.kill()
    async with running_api(server.url, tmp_path) as api, api.client("user-1") as client:
        job_id = "user-1:cover-letter:1700000000000:AAAAAAAAAAAAAAAA"
        await assert_every_route_says_so(client, job_id)
        server.start()
        await eventually(lambda: can_create(client))
        assert (await client.get("/health/ready")).status_code == 200


async def test_redis_killed_in_mid_flight_loses_nothing(
    client: httpx.AsyncClient, server: Valkey, tmp_path: Path
) -> None:
    job_id = await create(client)
    # The append-only file is synced each second.
    await eventually(lambda: _is_on_disk(server))
    server.kill()
    await assert_every_route_says_so(client, job_id)
    server.start()

    async def is_back() -> bool:
        return (await client.get(at(job_id, "status"))).status_code == 200

    await eventually(is_back)
    assert (await status(client, job_id))["status"] == "queued"
    async with running_worker(server.url, tmp_path):
        await reaches(client, job_id, "completed")


async def test_redis_that_hangs_is_not_waited_for(
    client: httpx.AsyncClient, server: Valkey
) -> None:
    job_id = await create(client)
    server.freeze()
    try:
        await assert_every_route_says_so(client, job_id)
    finally:
        server.thaw()
    await eventually(lambda: can_create(client))
    assert (await status(client, job_id))["status"] == "queued"


def _is_on_disk(server: Valkey) -> bool:
    with redis.Redis(port=server.port, decode_responses=True) as connection:
        info = connection.info("persistence")
        return bool(info["aof_pending_bio_fsync"] == 0 and info["aof_buffer_length"] == 0)
