"""Which web pages may call the API: our own and the listed ones, compared exactly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from apis import RunningApi, running_api
from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.settings import load_settings
from figures import show
from tokens import SECRET

LISTED = "https://app.example.com"
STRANGERS = [
    "https://evil.example",
    "null",
    "https://app.example.com.evil.example",
    "https://evilapp.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "https://APP.example.com",
    "file://",
    "chrome-extension://abc",
    "https://[",
    "*",
    "",
]


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[RunningApi]:
    production: dict[str, Any] = {"environment": "production", "cors_origins": (LISTED,)}
    async with running_api(redis_url, tmp_path, **production) as running:
        yield running


def preflight(origin: str) -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }


@pytest.mark.parametrize("origin", STRANGERS)
async def test_pages_of_strangers_are_refused(client: httpx.AsyncClient, origin: str) -> None:
    for answer in (
        await client.get("/api/jobs", headers={"origin": origin}),
        await client.post("/api/jobs", headers={"origin": origin}, json={}),
        await client.options("/api/jobs", headers=preflight(origin)),
    ):
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert not any(name.startswith("access-control-") for name in answer.headers)
        assert "Origin" in answer.headers["vary"]
    show("S29", origin=origin or "an empty one", requests=3, refused=3)


async def test_a_listed_page_may_call(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/jobs", headers={"origin": LISTED})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert "ETag" in answer.headers["access-control-expose-headers"]
    asked = await client.options("/api/jobs", headers=preflight(LISTED))
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == LISTED
    for name in ("Authorization", "Content-Type", "X-User-Id", "Idempotency-Key", "Last-Event-ID"):
        assert name in asked.headers["access-control-allow-headers"]


async def test_errors_can_be_read_by_a_listed_page(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/jobs", headers={"origin": LISTED}, json={})
    assert answer.status_code == 422
    assert answer.headers["access-control-allow-origin"] == LISTED


async def test_our_own_page_may_call_wherever_it_is_served(
    api: RunningApi, client: httpx.AsyncClient
) -> None:
    for origin, host in (
        (api.url, f"localhost:{api.port}"),
        ("https://jobs.example.com", "jobs.example.com"),
    ):
        answer = await client.get("/api/jobs", headers={"origin": origin, "host": host})
        assert answer.status_code == 200


async def test_programs_without_an_origin_prove_themselves_by_token(
    api: RunningApi, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/api/jobs")).status_code == 200
    async with api.client(None) as nobody:
        assert (await nobody.get("/api/jobs")).status_code == 401


async def test_credentials_are_never_allowed_and_cookies_identify_nobody(
    api: RunningApi, client: httpx.AsyncClient
) -> None:
    answer = await client.options("/api/jobs", headers=preflight(LISTED))
    assert "access-control-allow-credentials" not in answer.headers
    assert "set-cookie" not in answer.headers
    token = client.headers["authorization"].removeprefix("Bearer ")
    async with api.client(
        None, {"cookie": f"token={token}; authorization=Bearer {token}"}
    ) as cookies:
        assert (await cookies.get("/api/jobs")).status_code == 401


async def test_a_token_in_the_address_identifies_nobody(
    api: RunningApi, client: httpx.AsyncClient
) -> None:
    token = client.headers["authorization"].removeprefix("Bearer ")
    async with api.client(None) as nobody:
        for name in ("token", "access_token", "authorization"):
            assert (await nobody.get("/api/jobs", params={name: token})).status_code == 401


async def test_a_page_that_rebinds_its_name_to_this_machine_is_nobody(
    redis_url: str, tmp_path: Path
) -> None:
    async with running_api(redis_url, tmp_path) as api:
        headers = {"host": "evil.example", "origin": "http://evil.example", "x-user-id": "user-1"}
        async with api.client(None, headers) as client:
            assert (await client.get("/api/jobs")).status_code == 401


def test_production_refuses_a_wildcard() -> None:
    with pytest.raises(ConfigurationError, match="CORS_ORIGIN"):
        load_settings(environment="production", jwt_secret=SECRET.decode(), cors_origins=("*",))
