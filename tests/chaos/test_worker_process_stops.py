"""A worker process that is told to stop: running jobs end or are handed back, in time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
import redis

from apis import api_settings
from careerlens.foundation.errors import ConfigurationError
from careerlens.jobs.definitions import Registry
from careerlens.jobs.working import run_worker
from job_requests import create, reaches, status
from support import eventually, free_port
from team_jobs import REGISTRY


async def test_a_running_job_is_handed_back_within_the_grace(
    client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    settings = api_settings(tmp_path, shutdown_seconds=1)
    working = asyncio.create_task(run_worker(settings, redis_url, REGISTRY))
    job_id = await create(client, type="endless")
    await reaches(client, job_id, "processing")
    started = time.monotonic()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert time.monotonic() - started < 2
    back = await status(client, job_id)
    assert (back["status"], back["attemptsMade"]) == ("queued", 0)
    with redis.Redis.from_url(redis_url) as server:
        assert server.zcard("careerlens:workers") == 0


async def test_a_short_job_ends_before_the_worker_does(
    client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    settings = api_settings(tmp_path, shutdown_seconds=10)
    working = asyncio.create_task(run_worker(settings, redis_url, REGISTRY))
    job_id = await create(client, type="word-count", someText="one two")
    await reaches(client, job_id, "processing")
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert (await status(client, job_id))["status"] == "completed"


async def test_a_worker_works_on_the_named_types_alone(
    client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    settings = api_settings(tmp_path)
    working = asyncio.create_task(run_worker(settings, redis_url, REGISTRY, types=["failing"]))
    left = await create(client)
    done = await create(client, type="failing", someText="for good")
    await reaches(client, done, "failed")
    assert (await status(client, left))["status"] == "queued"
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize("types", [["cover-leter"], ["cover-letter", "x"]])
async def test_unknown_types_are_named(redis_url: str, tmp_path: Path, types: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="cover-letter"):
        await run_worker(api_settings(tmp_path), redis_url, REGISTRY, types=types)
    with pytest.raises(ConfigurationError, match="no job type"):
        await run_worker(api_settings(tmp_path), redis_url, Registry())


async def test_the_health_page_follows_the_worker(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    settings = api_settings(tmp_path, worker_health_port=port)
    working = asyncio.create_task(run_worker(settings, redis_url, REGISTRY))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def is_ready() -> bool:
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(is_ready)
        assert (await client.get("/health/live")).json() == {"status": "live"}
        ready = (await client.get("/health/ready")).json()
        assert ready == {"status": "ready", "checks": {"redis": "ok", "running": 0}}
        assert (await client.get("/elsewhere")).status_code == 404
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        with pytest.raises(httpx.TransportError):
            await client.get("/health/live")


async def test_a_health_port_that_is_taken_is_named(redis_url: str, tmp_path: Path) -> None:
    async with await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        settings = api_settings(tmp_path, worker_health_port=port)
        with pytest.raises(ConfigurationError, match="WORKER_HEALTH_PORT"):
            await run_worker(settings, redis_url, REGISTRY)


async def test_starts_per_minute_are_limited_for_all_workers_together(
    client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    settings = api_settings(tmp_path, worker_max_jobs=3)
    workers = [
        asyncio.create_task(run_worker(settings, redis_url, REGISTRY, types=["cover-letter"]))
        for _ in range(2)
    ]
    ids = [await create(client) for _ in range(6)]

    async def ended() -> int:
        return [(await status(client, job_id))["status"] for job_id in ids].count("completed")

    await eventually(lambda: _is(ended, 3))
    with redis.Redis.from_url(redis_url) as server:
        assert int(server.get("bull:cover-letter:limiter") or 0) == 3
    assert await ended() == 3
    for working in workers:
        working.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def _is(count: object, wanted: int) -> bool:
    return await count() == wanted  # type: ignore[operator,no-any-return]
