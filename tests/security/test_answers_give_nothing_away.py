"""Errors have one form and no insides; every answer carries safe headers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from apis import RunningApi, api_settings, running_api
from careerlens.api.app import create_app
from careerlens.jobs.manager import JobManager
from job_requests import at, create
from team_jobs import REGISTRY


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[RunningApi]:
    async with running_api(redis_url, tmp_path, environment="production") as running:
        yield running


def assert_is_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"/problems/{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["requestId"] == response.headers["x-request-id"]
    return body


async def test_every_error_is_a_problem_with_a_page(client: httpx.AsyncClient) -> None:
    job_id = await create(client)
    calls: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", "/nothing", {}, 404, "not-found"),
        ("POST", "/nothing", {}, 404, "not-found"),
        ("GET", "/api/jobs/", {}, 404, "not-found"),
        ("GET", "/API/jobs", {}, 404, "not-found"),
        ("GET", "//api/jobs", {}, 404, "not-found"),
        ("GET", "/assets/../../app.py", {}, 404, "not-found"),
        ("GET", "/%2e%2e/app.py", {}, 404, "not-found"),
        ("GET", "/problems/made-up", {}, 404, "not-found"),
        ("DELETE", "/api/jobs", {}, 405, "method-not-allowed"),
        ("GET", at(job_id, "cancel"), {}, 405, "method-not-allowed"),
        ("PUT", at(job_id, "status"), {}, 405, "method-not-allowed"),
        ("GET", at("no-such", "status"), {}, 404, "job-not-found"),
        ("POST", "/api/jobs", {"content": b"x"}, 415, "unsupported-media-type"),
        ("POST", "/api/jobs", {"json": {}}, 422, "invalid-input"),
        ("GET", "/api/jobs/history?limit=x", {}, 422, "invalid-input"),
        ("GET", "/api/jobs", {"headers": {"authorization": "Bearer x"}}, 401, "unauthenticated"),
        ("GET", "/api/jobs", {"headers": {"authorization": "Basic x"}}, 401, "unauthenticated"),
    ]
    for method, path, options, status, code in calls:
        response = await client.request(method, path, **options)
        body = assert_is_problem(response, status, code)
        page = await client.get(body["type"])
        assert page.status_code == 200, path
        assert page.headers["content-type"].startswith("text/html")
        assert body["title"].replace("'", "&#x27;") in page.text.replace("'", "&#x27;")
    refused = await client.delete("/api/jobs")
    assert set(re.split(r",\s*", refused.headers["allow"])) >= {"POST"}


async def test_a_mistake_of_ours_shows_an_id_and_nothing_else(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(JobManager, "list_active_jobs", break_down)
    response = await client.get("/api/jobs")
    assert_is_problem(response, 500, "internal-error")
    for inside in ("secret inside", "Traceback", "RuntimeError", ".py"):
        assert inside not in response.text
    assert (await client.get("/health/live")).status_code == 200


async def test_the_description_is_for_developers_alone(
    client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/metrics", "/debug"):
        assert (await client.get(path)).status_code == 404
    async with running_api(redis_url, tmp_path) as development, development.client(None) as other:
        assert (await other.get("/openapi.json")).status_code == 200
        assert (await other.get("/docs")).status_code == 200


async def test_every_answer_carries_safe_headers(client: httpx.AsyncClient) -> None:
    for path in (
        "/",
        "/api/jobs",
        "/api/config",
        "/nothing",
        "/health/live",
        "/problems/not-found",
    ):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
        assert "x-powered-by" not in headers
    assert (await client.get("/api/jobs")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["a b", "evil.example;script-src *", "x'y", "a,b", "h" * 300, "[zz]"]
)
async def test_a_strange_host_never_gets_into_the_policy(
    client: httpx.AsyncClient, host: str
) -> None:
    response = await client.get("/", headers={"host": host})
    assert host not in response.headers.get("content-security-policy", "")


async def test_request_ids_are_kept_where_they_are_harmless(client: httpx.AsyncClient) -> None:
    kept = await client.get("/api/jobs", headers={"x-request-id": "from-the-proxy_1"})
    assert kept.headers["x-request-id"] == "from-the-proxy_1"
    for harmful in ("x", "a" * 65, "<script>alert(1)</script>", "a b c d e f g", "%0d%0aX: y"):
        response = await client.get("/api/jobs", headers={"x-request-id": harmful})
        assert response.headers["x-request-id"] != harmful


def test_every_route_is_described(tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path), redis_url="redis://unused", registry=REGISTRY)
    described = {
        (path, method.upper())
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    }
    assert described == {
        ("/api/jobs", "POST"),
        ("/api/jobs", "GET"),
        ("/api/jobs/history", "GET"),
        ("/api/job-types", "GET"),
        ("/api/jobs/{job_id}/status", "GET"),
        ("/api/jobs/{job_id}/cancel", "POST"),
        ("/api/jobs/{job_id}/events", "GET"),
        ("/api/jobs/{job_id}/stream", "GET"),
        ("/api/config", "GET"),
        ("/problems/{code}", "GET"),
        ("/health/live", "GET"),
        ("/health/ready", "GET"),
        ("/metrics", "GET"),
        ("/api/tickets", "POST"),
        ("/api/jobs/events", "GET"),
    }


def test_the_description_names_every_operation_and_problem(tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path), redis_url="redis://unused", registry=REGISTRY)
    paths = app.openapi()["paths"]
    operations = [each for path in paths.values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    created = paths["/api/jobs"]["post"]
    assert {"202", "400", "401", "413", "415", "422", "503"} <= created["responses"].keys()
    refused = created["responses"]["422"]["content"]
    assert list(refused) == ["application/problem+json"]
    variants = created["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert len(variants) == len(REGISTRY)
