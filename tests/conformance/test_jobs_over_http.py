"""Jobs over HTTP from creation to their end, with a real server, worker and Valkey."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import redis

from apis import RunningApi, running_worker
from job_requests import at, create, reaches, status
from support import eventually


@pytest.fixture
async def client(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client("user-123") as made:
        yield made


@pytest.fixture
async def worker(redis_url: str, tmp_path: Path) -> AsyncIterator[None]:
    async with running_worker(redis_url, tmp_path, shutdown_seconds=1):
        yield


async def test_a_created_job_is_accepted_and_says_where_to_ask(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/api/jobs", json={"type": "cover-letter", "targetRole": "Editor", "resumeText": "Me"}
    )
    assert response.status_code == 202
    body = response.json()
    assert body["status"] == "queued"
    assert body["jobId"].startswith("user-123:cover-letter:")
    assert response.headers["location"] == body["statusUrl"]
    assert int(response.headers["retry-after"]) > 0
    found = await client.get(response.headers["location"])
    assert found.status_code == 200
    assert found.json() | {"createdAt": 0} == {
        "jobId": body["jobId"],
        "type": "cover-letter",
        "status": "queued",
        "progress": None,
        "result": None,
        "error": None,
        "errorCode": None,
        "createdAt": 0,
        "startedAt": None,
        "completedAt": None,
        "attemptsMade": 0,
        "maxAttempts": 2,
        "cancelRequested": False,
        "delayedUntil": None,
        "retrying": False,
        "queue": {"position": 1, "estimatedWaitMs": None},
    }


async def test_the_development_header_names_the_caller(api: RunningApi) -> None:
    async with api.client(None, {"x-user-id": "user-123"}) as client:
        job_id = await create(client)
        assert (await status(client, job_id))["status"] == "queued"
        assert job_id.startswith("user-123:")


async def test_a_job_runs_to_its_result(client: httpx.AsyncClient, worker: None) -> None:
    job_id = await create(client, resumeText="Four")
    done = await reaches(client, job_id, "completed")
    assert done["result"] == {"letterText": "Dear Editor", "resumeSize": 4}
    assert done["progress"] == {
        "percent": 90.0, "message": "Writing", "step": "write", "data": {"copies": 1}
    }  # fmt: skip
    assert done["createdAt"] <= done["startedAt"] <= done["completedAt"]


async def test_an_uploaded_file_reaches_the_handler_and_is_soon_forgotten(
    client: httpx.AsyncClient, worker: None, redis_url: str
) -> None:
    response = await client.post(
        "/api/jobs",
        data={"type": "cover-letter", "targetRole": "Editor", "copies": "2"},
        files={"resume": ("../../my cv.pdf", b"%PDF-1.7 and so on", "text/html")},
    )
    assert response.status_code == 202, response.text
    done = await reaches(client, response.json()["jobId"], "completed")
    assert done["result"]["resumeSize"] == 18
    assert done["progress"]["data"] == {"copies": 2}
    with redis.Redis.from_url(redis_url) as server:
        (key,) = server.keys("careerlens:{user-123}:upload:*")
        assert 0 < server.ttl(key) <= 600


async def test_a_plain_function_runs_in_a_process_of_its_own(
    client: httpx.AsyncClient, worker: None
) -> None:
    job_id = await create(client, type="word-count", someText="one two three")
    done = await reaches(client, job_id, "completed")
    assert done["result"]["words"] == 3
    assert done["result"]["user"] == "user-123"
    assert done["result"]["pid"] != os.getpid()
    assert done["progress"]["step"] == "count"


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"type": "failing", "someText": "kindly"}, "model_busy", "The model was busy."),
        ({"type": "failing", "someText": "for good"}, "hopeless", "This can never work."),
        ({"type": "failing", "someText": "x"}, "internal_error", "went wrong on our side"),
        ({"type": "slow"}, "timeout", "longer than 0.2 s"),
        ({"type": "wrong-result"}, "result_invalid", "not what it should be"),
        ({"type": "word-count", "someText": "crash"}, "crashed", "ended unexpectedly"),
    ],
)
async def test_failures_are_told_kindly(
    client: httpx.AsyncClient, worker: None, fields: dict[str, str], code: str, words: str
) -> None:
    job_id = await create(client, **fields)
    failed = await reaches(client, job_id, "failed")
    assert failed["errorCode"] == code
    assert words in failed["error"]
    assert "secret detail" not in str(failed)


async def test_only_what_may_help_is_tried_again(client: httpx.AsyncClient, worker: None) -> None:
    retried = await reaches(
        client, await create(client, type="failing", someText="kindly"), "failed"
    )
    hopeless = await reaches(
        client, await create(client, type="failing", someText="for good"), "failed"
    )
    assert (retried["attemptsMade"], hopeless["attemptsMade"]) == (2, 1)


async def test_a_waiting_job_is_cancelled_at_once(client: httpx.AsyncClient) -> None:
    job_id = await create(client)
    response = await client.post(at(job_id, "cancel"))
    assert response.status_code == 200
    assert response.json() == {"jobId": job_id, "status": "cancelled", "outcome": "cancelled"}
    assert (await status(client, job_id))["status"] == "cancelled"
    again = await client.post(at(job_id, "cancel"))
    assert again.json()["outcome"] == "already_final"
    assert (await client.get("/api/jobs")).json() == {"jobs": []}


async def test_a_running_job_is_cancelled_while_the_caller_waits(
    client: httpx.AsyncClient, worker: None
) -> None:
    job_id = await create(client, type="endless")
    await reaches(client, job_id, "processing")
    response = await client.post(at(job_id, "cancel"))
    assert response.json() == {"jobId": job_id, "status": "cancelled", "outcome": "cancelled"}


async def test_a_finished_job_cannot_be_cancelled(client: httpx.AsyncClient, worker: None) -> None:
    job_id = await create(client)
    await reaches(client, job_id, "completed")
    response = await client.post(at(job_id, "cancel"))
    assert response.json() == {"jobId": job_id, "status": "completed", "outcome": "already_final"}


async def test_the_list_holds_what_has_not_ended_newest_first(
    client: httpx.AsyncClient, api: RunningApi
) -> None:
    first, second, third = [await create(client) for _ in range(3)]
    async with api.client("somebody-else") as other:
        await create(other)
    await client.post(at(second, "cancel"))
    listed = (await client.get("/api/jobs")).json()["jobs"]
    assert [job["jobId"] for job in listed] == [third, first]


async def test_a_long_list_is_read_page_by_page(client: httpx.AsyncClient) -> None:
    ids = [await create(client) for _ in range(105)]
    for job_id in ids[50:]:
        await client.post(at(job_id, "cancel"))
    listed = (await client.get("/api/jobs")).json()["jobs"]
    assert [job["jobId"] for job in listed] == ids[49::-1]


async def test_an_unchanged_status_costs_no_body(client: httpx.AsyncClient) -> None:
    job_id = await create(client)
    first = await client.get(at(job_id, "status"))
    tag = first.headers["etag"]
    again = await client.get(at(job_id, "status"), headers={"if-none-match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    await client.post(at(job_id, "cancel"))
    changed = await client.get(at(job_id, "status"), headers={"if-none-match": tag})
    assert changed.status_code == 200


@pytest.mark.parametrize("user", ["a:b", "100%", "ünï cödé", "a/b?c#d", "{tag}", "..", "%3A", "*"])
async def test_every_user_name_makes_ids_that_work_in_addresses(api: RunningApi, user: str) -> None:
    async with api.client(user) as client:
        job_id = await create(client)
        assert (await status(client, job_id))["jobId"] == job_id
        created = await client.get("/api/jobs")
        assert [job["jobId"] for job in created.json()["jobs"]] == [job_id]
        assert (await client.post(at(job_id, "cancel"))).status_code == 200


async def test_job_types_tell_what_they_take(client: httpx.AsyncClient) -> None:
    types = {each["type"]: each for each in (await client.get("/api/job-types")).json()}
    assert types["cover-letter"]["takesFile"] is True
    assert set(types["cover-letter"]["schema"]["properties"]) == {
        "targetRole", "resumeText", "copies"
    }  # fmt: skip
    assert types["endless"]["takesFile"] is False


async def test_the_configuration_is_public(api: RunningApi) -> None:
    async with api.client(None) as client:
        config = (await client.get("/api/config")).json()
    assert config == {
        "environment": "development",
        "socketUrl": "http://localhost:3001",
        "developmentIdentity": True,
        "maxUploadBytes": 5 * 1024 * 1024,
    }


async def test_health_tells_what_is_missing(
    api: RunningApi, client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}
    degraded = await client.get("/health/ready")
    assert degraded.status_code == 200
    assert degraded.json() == {
        "status": "degraded", "checks": {"redis": "ok", "archive": "ok", "workers": 0}
    }  # fmt: skip
    async with running_worker(redis_url, tmp_path):

        async def whole() -> bool:
            return bool((await client.get("/health/ready")).json()["status"] == "ready")

        await eventually(whole)
