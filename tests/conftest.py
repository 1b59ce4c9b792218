"""Fixtures for every test: real Valkey servers, one shared and cheap, others private.

An API, a client of it and a gateway stand on the shared one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import redis
from hypothesis import settings
from redis.asyncio import Redis

from apis import RunningApi, running_api
from careerlens.foundation.redis import connect
from careerlens.wire import Link
from gateways import RunningGateway, running_gateway
from support import Valkey

ValkeyFactory = Callable[..., Valkey]

# `pytest --hypothesis-profile=deep`: hours of what the usual run tries for seconds.
settings.register_profile("deep", max_examples=5_000)


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for the whole run. Tests must not kill it: take `valkey_factory` for that."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_url(valkey_server: Valkey) -> str:
    """The URL of the shared server, emptied for this test."""
    with redis.Redis(port=valkey_server.port) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[Link]:
    """A link to the shared server."""
    async with Link(redis_url) as link:
        yield link


@pytest.fixture(name="redis")
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the shared server, for what a test does behind the product's back."""
    async with connect(redis_url) as client:
        yield client


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """An API on the shared server, in development."""
    async with running_api(redis_url, tmp_path) as api:
        yield api


@pytest.fixture
async def client(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `api`: user-1, by a token."""
    async with api.client("user-1") as client:
        yield client


@pytest.fixture
async def gateway(redis_url: str) -> AsyncIterator[RunningGateway]:
    """A gateway on the shared server, in production."""
    async with running_gateway(redis_url) as gateway:
        yield gateway


@pytest.fixture
def valkey_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyFactory]:
    """Makes started servers that belong to this test alone: `valkey_factory(durable=True)`."""
    with ExitStack() as servers:

        def start(*, folder: Path | None = None, durable: bool = False, **settings: str) -> Valkey:
            server = Valkey(
                folder or tmp_path_factory.mktemp("valkey"), durable=durable, **settings
            )
            server.start()
            servers.callback(server.kill)
            return server

        yield start
