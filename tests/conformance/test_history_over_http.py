"""Jobs are remembered when Redis has let them go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import redis

from apis import RunningApi, running_api, running_worker
from careerlens.archive import ArchiveStore, run_recorder
from job_requests import at, create, reaches, status
from support import eventually
from team_jobs import REGISTRY


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[RunningApi]:
    async with running_api(redis_url, tmp_path) as running:
        store = ArchiveStore.from_settings(running.settings)
        recording = asyncio.create_task(run_recorder(running.settings, redis_url, REGISTRY, store))
        yield running
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
        await store.close()


async def remembered(client: httpx.AsyncClient, count: int) -> list[str]:
    """The ids of the first page, once there are so many of ended jobs."""
    body = (await client.get("/api/jobs/history", params={"limit": 100})).json()
    ended = [job["jobId"] for job in body["jobs"] if job["completedAt"] is not None]
    assert len(ended) == count, body
    return ended


async def test_what_redis_forgot_is_still_answered(
    api: RunningApi, redis_url: str, tmp_path: Path
) -> None:
    async with api.client("user-1") as client, running_worker(redis_url, tmp_path):
        job_id = await create(client, resumeText="Four")
        before = await reaches(client, job_id, "completed")
        await eventually(lambda: remembered(client, 1))
        with redis.Redis.from_url(redis_url) as server:
            server.delete(f"bull:cover-letter:{job_id}")
        assert await status(client, job_id) == before
        again = await client.post(at(job_id, "cancel"))
        assert again.json()["outcome"] == "already_final"
        async with api.client("user-12") as other:
            assert (await other.get(at(job_id, "status"))).status_code == 404
            assert (await other.get("/api/jobs/history")).json() == {
                "jobs": [], "nextCursor": None
            }  # fmt: skip


async def test_history_is_read_page_by_page_newest_first(api: RunningApi) -> None:
    async with api.client("user-1") as client:
        ids = [await create(client) for _ in range(5)]
        for job_id in ids:
            await client.post(at(job_id, "cancel"))
        await eventually(lambda: remembered(client, 5))
        seen: list[str] = []
        cursor: str | None = None
        while True:
            query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/api/jobs/history", params=query)).json()
            seen += [job["jobId"] for job in page["jobs"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break
        assert seen == ids[::-1]
        assert all(job["status"] == "cancelled" for job in page["jobs"])
