"""Half an emoji in what another producer or worker wrote harms neither its job nor the list."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from apis import RunningApi
from careerlens.foundation.foreignjson import parse_foreign
from careerlens.jobs.keys import live_key, live_member
from job_requests import at, status

QUEUE = "cover-letter"


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def put(server: redis.Redis, job_id: str, state: str, **fields: str) -> None:
    """A job as another producer would leave it, listed among its owner's."""
    data = json.dumps({"userId": "user-1"})
    common = {"name": "x", "timestamp": "1", "opts": "{}", "data": data}
    for field, value in (common | fields).items():
        server.hset(f"bull:{QUEUE}:{job_id}", field, value)
    if state == "wait":
        server.lpush(f"bull:{QUEUE}:wait", job_id)
    else:
        server.zadd(f"bull:{QUEUE}:{state}", {job_id: 1})
    server.zadd(live_key("user-1"), {live_member(QUEUE, job_id): 1})


async def test_half_an_emoji_is_shown_as_a_mark(api: RunningApi, server: redis.Redis) -> None:
    progress = '{"percent": 5, "message": "caf\\u00e9 \\ud83d", "step": "\\udE00 \\ud83d\\ude00"}'
    put(server, "1", "wait", progress=progress)
    put(server, "2", "completed", returnvalue='{"text": "cut \\ud83d"}', finishedOn="1")
    put(server, "3", "wait", progress='{"percent": 1, "message": "whole"}')
    async with api.client("user-1") as client:
        listed = await client.get("/api/jobs")
        assert listed.status_code == 200, listed.text
        assert {job["jobId"] for job in listed.json()["jobs"]} == {"1", "3"}
        shown = (await status(client, "1"))["progress"]
        assert shown["message"] == "café \ufffd"
        assert shown["step"] == "\ufffd \U0001f600"
        assert (await status(client, "2"))["result"] == {"text": "cut \ufffd"}
        async with client.stream("GET", at("1", "events")) as stream:
            assert "\ufffd" in await anext(stream.aiter_text())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\\ud83d"', r"\ud83d"),
        (r'"\\\ud83d"', "\\\ufffd"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (r'"\ude00\ud83d"', "\ufffd\ufffd"),
        (r'"\uD83D\uDE00\n\""', '\U0001f600\n"'),
        (r'{"\ud83d": ["\ud83d"]}', {"\ufffd": ["\ufffd"]}),
    ],
)
def test_only_halves_are_replaced(text: str, value: object) -> None:
    assert parse_foreign(text) == value
