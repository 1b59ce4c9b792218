"""A request repeated under its Idempotency-Key creates one job, whatever breaks in between."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import redis

from apis import RunningApi
from careerlens.foundation.errors import OutcomeUnknownError, ServiceUnavailableError
from careerlens.queue import Queue

BODY = {"type": "cover-letter", "targetRole": "Editor"}
KEY = {"idempotency-key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def jobs_in_line(api: RunningApi) -> int:
    with redis.Redis.from_url(api.redis_url) as server:
        return int(server.zcard("bull:cover-letter:prioritized"))


async def test_a_repetition_gets_the_first_answer(
    api: RunningApi, client: httpx.AsyncClient
) -> None:
    first = await client.post("/api/jobs", json=BODY, headers=KEY)
    reordered = b'{ "targetRole": "Editor",   "type": "cover-letter" }'
    again = await client.post(
        "/api/jobs", content=reordered, headers=KEY | {"content-type": "application/json"}
    )
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert jobs_in_line(api) == 1


async def test_another_payload_under_the_same_key_is_refused(client: httpx.AsyncClient) -> None:
    await client.post("/api/jobs", json=BODY, headers=KEY)
    other = await client.post("/api/jobs", json=BODY | {"copies": 2}, headers=KEY)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    with_file = await client.post(
        "/api/jobs", data=BODY, files={"resume": ("a.txt", b"text")}, headers=KEY
    )
    assert with_file.status_code == 422


async def test_files_are_told_apart_by_content(api: RunningApi, client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/api/jobs", data=BODY, files={"resume": ("a.txt", content)}, headers=KEY)
        for content in (b"one", b"one", b"two")
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 422]
    assert answers[0].json() == answers[1].json()
    assert jobs_in_line(api) == 1


async def test_many_at_once_create_one_job(api: RunningApi, client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(client.post("/api/jobs", json=BODY, headers=KEY) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    created = {a.json()["jobId"] for a in answers if a.status_code == 202}
    assert len(created) == 1
    assert jobs_in_line(api) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["retry-after"] == "1"


async def test_a_request_that_failed_may_be_repeated(
    api: RunningApi, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> str:
        raise ServiceUnavailableError("redis", "gone")

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "add_of", refuse)
        assert (await client.post("/api/jobs", json=BODY, headers=KEY)).status_code == 503
    assert (await client.post("/api/jobs", json=BODY, headers=KEY)).status_code == 202
    assert jobs_in_line(api) == 1


async def test_a_lost_reply_leads_to_no_second_job(
    api: RunningApi, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Queue.add_of
    calls = 0

    async def add_and_lose_the_reply(*args: Any, **options: Any) -> str:
        nonlocal calls
        calls += 1
        await add(*args, **options)
        raise OutcomeUnknownError("redis", "the reply was lost")

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "add_of", add_and_lose_the_reply)
        assert (await client.post("/api/jobs", json=BODY, headers=KEY)).status_code == 503
    assert calls == 3
    assert jobs_in_line(api) == 1
    waiting = await client.post("/api/jobs", json=BODY, headers=KEY)
    assert waiting.status_code == 409
    monkeypatch.setattr("careerlens.api.idempotency.IN_FLIGHT_MS", 0)
    resumed = await client.post("/api/jobs", json=BODY, headers=KEY)
    assert resumed.status_code == 202
    assert jobs_in_line(api) == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 256, '"a\\b"', "tab\there", '"', "ü"])
async def test_a_malformed_key_is_named(client: httpx.AsyncClient, key: str) -> None:
    headers = [(b"idempotency-key", key.encode("latin-1"))]
    response = await client.post("/api/jobs", json=BODY, headers=headers)
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["detail"]


async def test_quotes_are_no_part_of_the_key(client: httpx.AsyncClient) -> None:
    quoted = await client.post("/api/jobs", json=BODY, headers={"idempotency-key": '"k1"'})
    bare = await client.post("/api/jobs", json=BODY, headers={"idempotency-key": "k1"})
    assert quoted.json() == bare.json()
