"""The development header is for this machine, not for who comes through a proxy or a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from apis import RunningApi, running_api
from gateways import RunningGateway, running_gateway

FORWARDED = [
    ("forwarded", "for=203.0.113.9"),
    ("via", "1.1 tunnel"),
    ("x-forwarded-for", "203.0.113.9"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "jobs.example.com"),
    ("x-real-ip", "203.0.113.9"),
]
STRANGE_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "evil@localhost",
    "localhost#.evil.example",
    "localhost/evil.example",
    "localhost?evil.example",
    "localhost:3000:evil.example",
    "0.0.0.0",
    "localhost.",
    "[::ffff:127.0.0.1]",
]
POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
async def gateway(redis_url: str, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(redis_url, environment="development", home=tmp_path) as running:
        yield running


def claiming(api: RunningApi, **headers: str) -> httpx.AsyncClient:
    """A client that says a name, and proves nothing."""
    return httpx.AsyncClient(
        base_url=api.url, headers={"x-user-id": "user-1", **headers}, trust_env=False, timeout=20
    )


async def introduced(gateway: RunningGateway, headers: dict[str, str]) -> str:
    """What the gateway answers to a name that nothing proves."""
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as http:
        sid = (await http.get(POLLING)).text.split('"sid":"')[1].split('"')[0]
        await http.post(f"{POLLING}&sid={sid}", content='40{"userId":"user-1"}')
        return (await http.get(f"{POLLING}&sid={sid}")).text


@pytest.mark.parametrize(("header", "value"), FORWARDED)
async def test_who_comes_through_a_proxy_is_not_of_this_machine(
    api: RunningApi, gateway: RunningGateway, header: str, value: str
) -> None:
    async with claiming(api) as client:
        assert (await client.get("/api/jobs")).status_code == 200
        assert (await client.get("/api/jobs", headers={header: value})).status_code == 401
    assert (await introduced(gateway, {})).startswith("40")
    assert '"unauthorized"' in await introduced(gateway, {header: value})
    async with api.client("user-1") as proven:
        assert (await proven.get("/api/jobs", headers={header: value})).status_code == 200


@pytest.mark.parametrize("host", STRANGE_HOSTS)
async def test_a_host_that_is_not_plainly_this_machine_is_not(
    api: RunningApi, gateway: RunningGateway, host: str
) -> None:
    async with claiming(api, host=host) as client:
        assert (await client.get("/api/jobs")).status_code == 401
    assert '"unauthorized"' in await introduced(gateway, {"host": host})


@pytest.mark.parametrize("hosts", [("localhost", "evil.example"), ("evil.example", "localhost")])
async def test_a_request_with_two_hosts_is_no_request(
    api: RunningApi, gateway: RunningGateway, hosts: tuple[str, str]
) -> None:
    """What stands before us may have gone by the other one."""
    for port, path in ((api.port, "/api/config"), (gateway.port, "/health/live")):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        both = "".join(f"Host: {host}\r\n" for host in hosts)
        writer.write(f"GET {path} HTTP/1.1\r\n{both}\r\n".encode())
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
        writer.close()


async def test_a_wildcard_lets_no_page_of_a_stranger_in(redis_url: str, tmp_path: Path) -> None:
    """In development a page that gets in could be anybody, by the header alone."""
    async with (
        running_api(redis_url, tmp_path, cors_origins=("*",)) as api,
        claiming(api) as client,
    ):
        for origin in ("https://evil.example", "null", "*"):
            answer = await client.get("/api/jobs", headers={"origin": origin})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        own = await client.get("/api/jobs", headers={"origin": api.url})
        assert own.status_code == 200
