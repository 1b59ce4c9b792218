"""A job of somebody else answers exactly as one that does not exist, on every route."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import redis

from apis import RunningApi
from figures import show
from job_requests import at, create, status

# Names that a prefix test, an encoding taken twice or a pattern would confuse with the owner's.
OWNERS_AND_INTRUDERS = [
    ("user-1", "user-12"),
    ("user-12", "user-1"),
    ("a", "a:b"),
    ("a:b", "a"),
    ("a:cover-letter", "a"),
    ("user", "USER"),
    ("u*", "u"),
    ("100%25", "100%"),
    ("{tag}", "tag"),
]


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def routes_about_a_job(api: RunningApi) -> list[tuple[str, str]]:
    async with api.client(None) as client:
        document = (await client.get("/openapi.json")).json()
    return [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if "{job_id}" in path
    ]


def without_request_id(response: httpx.Response) -> dict[str, object]:
    body: dict[str, object] = response.json()
    return body | {"requestId": ""}


@pytest.mark.parametrize(("owner", "intruder"), OWNERS_AND_INTRUDERS)
async def test_a_foreign_job_answers_as_a_missing_one(
    api: RunningApi, server: redis.Redis, owner: str, intruder: str
) -> None:
    routes = await routes_about_a_job(api)
    assert len(routes) >= 3
    async with api.client(owner) as owning, api.client(intruder) as other:
        job_id = await create(owning, resumeText="canary")
        missing = job_id[:-4] + ("AAAA" if not job_id.endswith("AAAA") else "BBBB")
        events = "bull:cover-letter:events"
        before = (server.xlen(events), server.hgetall(f"bull:cover-letter:{job_id}"))
        for method, path in routes:
            answers = []
            for asked in (job_id, missing):
                address = path.replace("{job_id}", quote(asked, safe=""))
                response = await other.request(method, address)
                assert response.status_code == 404, (method, path)
                assert "canary" not in response.text
                answers.append(without_request_id(response))
            assert answers[0] == answers[1]
        assert (server.xlen(events), server.hgetall(f"bull:cover-letter:{job_id}")) == before
        assert (await other.get("/api/jobs")).json() == {"jobs": []}
        assert (await status(owning, job_id))["status"] == "queued"
    show("S1", intruder=intruder, routes=len(routes), answered_404=len(routes), changes=0)


async def test_a_job_of_another_producer_belongs_to_who_its_data_names(
    api: RunningApi, server: redis.Redis
) -> None:
    fields: dict[Any, Any] = {
        "name": "x",
        "timestamp": str(int(time.time() * 1000)),
        "opts": "{}",
    }
    for job_id, user in (("7", "user-1"), ("node-made", "user-1"), ("repeated:7", "user-1")):
        data = json.dumps({"userId": user, "targetRole": "Editor"})
        server.hset(f"bull:cover-letter:{job_id}", mapping=fields | {"data": data})
        server.lpush("bull:cover-letter:wait", job_id)
        async with api.client("user-1") as owning, api.client("user-12") as other:
            assert (await status(owning, job_id))["type"] == "cover-letter"
            assert (await other.get(at(job_id, "status"))).status_code == 404
            assert (await other.post(at(job_id, "cancel"))).status_code == 404


async def test_data_that_claims_an_owner_does_not_move_one_of_our_jobs(
    api: RunningApi, server: redis.Redis
) -> None:
    async with api.client("user-1") as owning, api.client("user-2") as other:
        job_id = await create(owning)
        server.hset(f"bull:cover-letter:{job_id}", "data", json.dumps({"userId": "user-2"}))
        assert (await other.get(at(job_id, "status"))).status_code == 404
        assert (await status(owning, job_id))["status"] == "queued"


@pytest.mark.parametrize(
    "query",
    [
        "?user=owner",
        "?userId=owner",
        "?owner[]=owner",
        "?userId=owner&userId=intruder",
        "?limit=10&sort=';DROP TABLE jobs;--",
        "?filter=redis.call('KEYS','*')",
    ],
)
async def test_filters_cannot_widen_a_list(api: RunningApi, query: str) -> None:
    async with api.client("owner") as owning, api.client("intruder") as other:
        await create(owning)
        for path in ("/api/jobs", "/api/jobs/history"):
            response = await other.get(path + query)
            assert response.status_code in {200, 422}
            assert "owner:cover" not in response.text


@pytest.mark.parametrize("limit", ["0", "-1", "1e9", "1000000000", "x", ""])
async def test_pages_are_bounded(api: RunningApi, limit: str) -> None:
    async with api.client("user-1") as client:
        response = await client.get("/api/jobs/history", params={"limit": limit})
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "limit"
        forged = await client.get("/api/jobs/history", params={"cursor": "forged"})
        assert forged.status_code == 422


async def test_an_idempotency_key_belongs_to_its_user(api: RunningApi) -> None:
    headers = {"idempotency-key": "the-same"}
    body = {"type": "cover-letter", "targetRole": "Editor"}
    async with api.client("user-1") as one, api.client("user-2") as two:
        first = await one.post("/api/jobs", json=body, headers=headers)
        second = await two.post("/api/jobs", json=body, headers=headers)
        assert (first.status_code, second.status_code) == (202, 202)
        assert second.json()["jobId"].startswith("user-2:")


async def test_only_what_is_listed_is_shown_of_a_job(api: RunningApi, server: redis.Redis) -> None:
    async with api.client("user-1") as client:
        job_id = await create(client, resumeText="canary-text")
        server.hset(
            f"bull:cover-letter:{job_id}",
            mapping={"token": "canary-a", "stacktrace": '["canary-b"]', "pb": "canary-host"},
        )
        shown = await status(client, job_id)
        assert "canary" not in json.dumps(shown)


async def test_nobody_in_particular_sees_nothing(api: RunningApi) -> None:
    async with api.client("user-1") as owning, api.client(None) as nobody:
        job_id = await create(owning)
        for path in (at(job_id, "status"), at(job_id, "events"), "/api/jobs", "/api/job-types"):
            response = await nobody.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
