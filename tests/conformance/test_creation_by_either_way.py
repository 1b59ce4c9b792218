"""A request to create a job is answered the same by the shortcut and through FastAPI's routes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import NoOpTracer, Tracer, TracerProvider
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from apis import api_settings
from careerlens.api.app import create_app
from team_jobs import REGISTRY
from tokens import good_claims, hs256, token

GOOD = {"type": "cover-letter", "targetRole": "Editor"}
JSON = {"content-type": "application/json"}
# Below such a root, as of an application that is mounted in another one, the shortcut steps aside.
ROOT = "/behind"
_CREATED = re.compile(
    r"(?P<head>user-1(%3A|:)cover-letter(%3A|:))[0-9]{13}(%3A|:)[A-Za-z0-9_-]{16}"
)


@dataclass
class TwoWays:
    """One application, asked by the shortcut or through the routes."""

    app: Any
    took_routes: list[bool] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        self.took_routes.append("router" in scope)

    async def answers(
        self, content: bytes, headers: dict[str, str] | list[tuple[str, str]]
    ) -> tuple[httpx.Response, httpx.Response]:
        """What the shortcut says, and what the routes say."""
        self.took_routes.clear()
        found = [await self._ask(root, content, headers) for root in ("", ROOT)]
        if found[0].status_code != 403:  # an origin is refused before the ways part
            assert self.took_routes == [False, True]
        return found[0], found[1]

    async def _ask(
        self, root: str, content: bytes, headers: dict[str, str] | list[tuple[str, str]]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self, root_path=root, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            request = client.build_request(
                "POST", f"{root}/api/jobs", content=content, headers=headers
            )
            request.headers["x-request-id"] = "the-same-request"
            return await client.send(request)


@pytest.fixture
async def two_ways(redis_url: str, tmp_path: Path) -> AsyncIterator[TwoWays]:
    app = create_app(
        api_settings(tmp_path, cors_origins=("https://app.example",)),
        redis_url=redis_url,
        registry=REGISTRY,
    )
    async with app.router.lifespan_context(app):
        yield TwoWays(app)


class Tracing(TracerProvider):
    """Somebody who wants traces."""

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        return NoOpTracer()


def bearer(**changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {hs256(good_claims(**{'userId': 'user-1'} | changes))}"}


def assert_same(one: httpx.Response, other: httpx.Response) -> None:
    """Nothing but the time and the random part of an id may differ."""
    assert one.status_code == other.status_code, (one.text, other.text)
    assert _without_chance(one.text) == _without_chance(other.text)
    assert sorted((k, _without_chance(v)) for k, v in one.headers.multi_items()) == sorted(
        (k, _without_chance(v)) for k, v in other.headers.multi_items()
    )


def _without_chance(text: str) -> str:
    text = _CREATED.sub(r"\g<head>…", text)
    return re.sub(r'"createdAt":[0-9]{13}', '"createdAt":…', text)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (202, JSON | bearer()),
        (202, {"content-type": "application/json; charset=utf-8"} | bearer()),
        (202, {"content-type": " Application/JSON "} | bearer()),
        (202, JSON | bearer() | {"origin": "http://localhost"}),
        (202, JSON | bearer() | {"origin": "https://app.example"}),
        (202, JSON | bearer() | {"content-encoding": "identity"}),
        (202, JSON | {"x-user-id": "user-1"}),
        (202, JSON | bearer(exp=1) | {"x-user-id": "user-1"}),
        (202, JSON | bearer() | {"x-user-id": "somebody-else"}),
        (202, JSON | {"authorization": bearer()["authorization"].replace("Bearer", "bearer ")}),
        (400, JSON | bearer() | {"idempotency-key": "\x01"}),
        (400, JSON | bearer() | {"idempotency-key": ""}),
        (401, JSON),
        (401, JSON | bearer(exp=1)),
        (401, JSON | bearer(userId="\x00")),
        (401, JSON | {"authorization": "Bearer x.y.z"}),
        (401, JSON | {"authorization": "Basic dXNlcjpwYXNz"}),
        (401, JSON | {"x-user-id": "user-1", "x-forwarded-for": "203.0.113.1"}),
        (401, JSON | {"x-user-id": "user-1", "host": "elsewhere.example"}),
        (403, JSON | bearer() | {"origin": "https://evil.example"}),
        (413, JSON | bearer() | {"content-length": "99999999"}),
        (415, bearer()),
        (415, {"content-type": "text/plain"} | bearer()),
        (415, JSON | bearer() | {"content-encoding": "gzip"}),
    ],
)
async def test_headers_mean_the_same(
    two_ways: TwoWays, status: int, headers: dict[str, str]
) -> None:
    one, other = await two_ways.answers(json.dumps(GOOD).encode(), headers)
    assert one.status_code == status, one.text
    assert_same(one, other)


async def test_of_a_repeated_header_the_first_counts(two_ways: TwoWays) -> None:
    good, bad = bearer()["authorization"], bearer(exp=1)["authorization"]
    for first, second, status in ((good, bad, 202), (bad, good, 401)):
        headers = [("authorization", first), ("authorization", second), *JSON.items()]
        one, other = await two_ways.answers(json.dumps(GOOD).encode(), headers)
        assert one.status_code == status
        assert_same(one, other)


async def test_where_requests_are_traced_they_take_the_routes(
    redis_url: str, tmp_path: Path
) -> None:
    app = create_app(api_settings(tmp_path), redis_url=redis_url, registry=REGISTRY)
    app._telemetry["tracer_provider"] = Tracing()
    ways = TwoWays(app)
    async with app.router.lifespan_context(app):
        for _ in range(2):
            answer = await ways._ask("", json.dumps(GOOD).encode(), JSON | bearer())
            assert answer.status_code == 202
    assert ways.took_routes == [True, True]


async def test_a_key_is_one_key_by_either_way(two_ways: TwoWays) -> None:
    headers = JSON | bearer() | {"idempotency-key": "the-same"}
    one, other = await two_ways.answers(json.dumps(GOOD).encode(), headers)
    assert (one.status_code, one.json()) == (other.status_code, other.json())
    assert "idempotent-replayed" not in one.headers
    assert other.headers["idempotent-replayed"] == "true"
    one, other = await two_ways.answers(json.dumps(GOOD | {"copies": 2}).encode(), headers)
    assert one.status_code == 422
    assert_same(one, other)


async def test_forms_are_read_the_same(two_ways: TwoWays) -> None:
    request = httpx.Request(
        "POST", "http://localhost", data=GOOD, files={"resume": ("cv.pdf", b"%PDF-1.7 x")}
    )
    headers = {"content-type": request.headers["content-type"]} | bearer()
    for content, status in ((request.read(), 202), (b"--nothing", 400)):
        one, other = await two_ways.answers(content, headers)
        assert one.status_code == status, one.text
        assert_same(one, other)


async def test_the_same_job_is_stored(two_ways: TwoWays, redis: Redis) -> None:
    answers = await two_ways.answers(json.dumps(GOOD | {"resumeText": "Zoë ✓"}).encode(), {
        **JSON, **bearer()
    })  # fmt: skip
    stored = []
    for answer in answers:
        job_id = answer.json()["jobId"]
        fields = await redis.hgetall(f"bull:cover-letter:{job_id}")
        stored.append({k: _without_chance(str(v)) for k, v in fields.items() if k != "timestamp"})
        assert await redis.zscore("careerlens:{user-1}:live", f"cover-letter/{job_id}")
    assert stored[0] == stored[1]
    assert json.loads(stored[0]["data"].replace("…", "0"))["resumeText"] == "Zoë ✓"


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["cover-letter", "words", "endless", "Editor", "\x00", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_names = st.sampled_from(["type", "targetRole", "target_role", "resumeText", "resumeFile"]) | (
    st.sampled_from(["copies", "someText", "userId", "createdAt", "zzz"])
)
_objects = st.dictionaries(_names | st.text(max_size=8), _values, max_size=6)
_bodies = (
    st.binary(max_size=60)
    | _values.map(lambda value: json.dumps(value).encode())
    | _objects.map(lambda value: json.dumps(value).encode())
    | _objects.map(lambda value: json.dumps(GOOD | value).encode())
    | _objects.map(lambda value: json.dumps(value | GOOD, ensure_ascii=True)[:-1].encode())
)


async def test_any_body_is_answered_the_same(two_ways: TwoWays) -> None:
    loop = asyncio.get_running_loop()
    headers = JSON | {"authorization": f"Bearer {token('user-1')}"}

    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(_bodies)
    def agree(body: bytes) -> None:
        asking = two_ways.answers(body, headers)
        assert_same(*asyncio.run_coroutine_threadsafe(asking, loop).result(20))

    await asyncio.to_thread(agree)
