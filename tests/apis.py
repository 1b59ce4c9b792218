"""A real API on a free port, and workers beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from careerlens.api.app import create_app
from careerlens.foundation.settings import Settings, load_settings
from careerlens.jobs.definitions import Registry
from careerlens.jobs.working import run_worker
from careerlens.realtime.heads import BoundedHttp
from careerlens.realtime.server import Server, listen
from support import eventually
from team_jobs import REGISTRY
from tokens import SECRET, token


class RunningApi:
    """An API behind a real server on a free port of this machine."""

    def __init__(self, app: FastAPI, settings: Settings, port: int, redis_url: str) -> None:
        self.app = app
        self.settings = settings
        self.port = port
        self.redis_url = redis_url
        self.url = f"http://localhost:{port}"

    def client(
        self, user: str | None, headers: Mapping[str, str] | None = None, *, lives: float = 3600
    ) -> httpx.AsyncClient:
        """A client of `user`, by a token that lives so many seconds; of nobody when None."""
        if user is not None:
            authorization = f"Bearer {token(user, lives=lives)}"
            headers = {"authorization": authorization, **(headers or {})}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=20, trust_env=False, verify=False
        )


def api_settings(home: Path, **changes: Any) -> Settings:
    """Settings of an API under test: development, on loopback, with `tokens.SECRET`."""
    return load_settings(**{"home": home, "jwt_secret": SECRET.decode(), **changes})


@asynccontextmanager
async def running_api(
    redis_url: str, home: Path, *, registry: Registry = REGISTRY, **changes: Any
) -> AsyncIterator[RunningApi]:
    """The API alone: without relay, recorder or worker."""
    settings = api_settings(home, **changes)
    app = create_app(settings, redis_url=redis_url, registry=registry)
    listener = listen("127.0.0.1", 0)
    server = Server(
        uvicorn.Config(
            app, interface="asgi3", http=BoundedHttp, lifespan="on", access_log=False,
            log_config=None, server_header=False, proxy_headers=False,
        )
    )  # fmt: skip
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await eventually(lambda: server.started)
        yield RunningApi(app, settings, listener.getsockname()[1], redis_url)
    finally:
        server.stop()
        await serving
        listener.close()


@asynccontextmanager
async def running_worker(
    redis_url: str, home: Path, *, registry: Registry = REGISTRY, **changes: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """A worker process's insides, drained at the end."""
    settings = api_settings(home, **changes)
    working = asyncio.create_task(run_worker(settings, redis_url, registry))
    try:
        yield working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
