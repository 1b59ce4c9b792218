"""Ids, types and names made to damage a queue, or to reach what they should not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from apis import RunningApi, running_worker
from job_requests import at, create, reaches
from support import eventually

SUFFIXES = [
    "wait", "active", "completed", "failed", "delayed", "meta", "events", "id", "marker", "pc",
    "stalled", "paused", "prioritized", "limiter", "repeat", "stalled-check", "waiting-children",
]  # fmt: skip
SHAPES = [
    "1", "00", "1:lock", "a:b:c", "a\nb", "a\0b", "x" * 10_000, "../x", "..", ".", "{tag}", "*",
    "%00", "%2e%2e", "user-1:cover-letter:1:AAAAAAAAAAAAAAAA", "user-1:cover-letter",
    "user-1:cover-letter:99999999999999999999:AAAAAAAAAAAAAAAA", "user-1:../../etc:1:AAAAAAAAAAAA",
    "user%2D1:cover-letter:1700000000000:AAAAAAAAAAAAAAAA", "\u202euser", "ü", "' OR 1=1 --",
]  # fmt: skip


@pytest.fixture
async def worker(redis_url: str, tmp_path: Path) -> AsyncIterator[None]:
    async with running_worker(redis_url, tmp_path):
        yield


async def test_ids_that_name_parts_of_a_queue_find_nothing(
    api: RunningApi, redis_url: str, worker: None
) -> None:
    async with api.client("user-1") as client:
        await reaches(client, await create(client), "completed")
        with redis.Redis.from_url(redis_url) as server:
            # The worker takes it away once it waits again.
            await eventually(lambda: not server.exists("bull:cover-letter:marker"))
            before = {key: server.type(key) for key in server.keys("bull:*")}
            for job_id in [*SUFFIXES, *SHAPES]:
                for what, method in (("status", "GET"), ("cancel", "POST"), ("events", "GET")):
                    if (job_id, what) == (".", "events"):
                        continue  # any client makes `/api/jobs/events` of it: one's own jobs
                    response = await client.request(method, at(job_id, what))
                    assert response.status_code == 404, (job_id, what, response.text)
                    assert response.headers["content-type"] == "application/problem+json"
            assert {key: server.type(key) for key in server.keys("bull:*")} == before
        await reaches(client, await create(client), "completed")


async def test_addresses_that_are_no_text_find_nothing(api: RunningApi) -> None:
    async with api.client("user-1") as client:
        for raw in ("%ff", "%ed%a0%80", "%", "%zz", "a%0d%0aX-Evil:1", "%2e%2e%2f"):
            response = await client.get(f"/api/jobs/{raw}/status")
            assert response.status_code in {400, 404}, raw
            assert "x-evil" not in response.headers


async def test_a_client_cannot_choose_an_id(api: RunningApi) -> None:
    body = {"type": "cover-letter", "targetRole": "Editor"}
    async with api.client("user-1") as client:
        for job_id in [*SUFFIXES, "1", "a:b:c"]:
            response = await client.post("/api/jobs", json=body | {"jobId": job_id})
            assert response.status_code == 422, job_id
            assert response.json()["errors"][0]["field"] == "jobId"


async def test_only_known_types_are_run(api: RunningApi, redis_url: str) -> None:
    others = ["", "cover-letter\n", "Cover-Letter", " cover-letter", 1, None, ["a"], {}]
    async with api.client("user-1") as client:
        for job_type in [*SUFFIXES, *SHAPES, *others]:
            response = await client.post(
                "/api/jobs", json={"type": job_type, "targetRole": "Editor"}
            )
            assert response.status_code == 422, job_type
            assert response.json()["errors"][0]["field"] == "type"
            if isinstance(job_type, str) and "\0" not in job_type:
                assert "cover-letter" in response.json()["detail"], "it lists the known types"
    with redis.Redis.from_url(redis_url) as server:
        assert server.keys("bull:*") == []


FORBIDDEN = [
    "owner", "userId", "user_id", "role", "state", "status", "attemptsMade", "returnvalue",
    "finishedOn", "priority", "delay", "attempts", "removeOnComplete", "repeat", "jobId",
    "parent", "children", "opts", "createdAt", "timestamp", "resumeFile", "resume_file",
    "target_role", "__proto__", "constructor", "deduplication", "scheduler", "lifo",
]  # fmt: skip


async def test_fields_that_a_client_may_not_set_are_unknown(
    api: RunningApi, redis_url: str
) -> None:
    body = {"type": "cover-letter", "targetRole": "Editor"}
    values: list[object] = ["user-2", 0, {"key": "A" * 22, "name": "x"}]
    async with api.client("user-1") as client:
        for field in FORBIDDEN:
            for value in values:
                response = await client.post("/api/jobs", json=body | {field: value})
                assert response.status_code == 422, field
                (problem,) = response.json()["errors"]
                assert (problem["field"], problem["code"]) == (field, "unknown_field")
            form = await client.post(
                "/api/jobs", data=body | {field: "x"}, files={"resume": ("a.txt", b"text")}
            )
            assert form.status_code == 422, field
    with redis.Redis.from_url(redis_url) as server:
        assert server.keys("bull:*") == []


async def test_the_addresses_we_hand_out_are_safe_everywhere(api: RunningApi) -> None:
    async with api.client('a/../b?x=1#y"<>') as client:
        response = await client.post(
            "/api/jobs", json={"type": "cover-letter", "targetRole": "Editor"}
        )
        location = response.headers["location"]
        assert (await client.get(location)).status_code == 200
        assert quote(response.json()["jobId"], safe="") in location.replace(":", "%3A")
