"""Streams of server-sent events as a client reads them: line by line, as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx


class Events:
    """What has been read of one stream. `last_id` is what a client would resume from."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.comments: list[str] = []
        self._lines = response.aiter_lines()

    async def next(self, *, within: float = 15) -> tuple[str, Any] | None:
        """Name and data of the next event; None once the stream has ended."""
        name, data = "", ""
        async with asyncio.timeout(within):
            async for line in self._lines:
                field, _, value = line.partition(": " if not line.startswith(":") else ":")
                if line.startswith(":"):
                    self.comments.append(value)
                elif field == "id":
                    self.last_id = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif not line and data:
                    return name, json.loads(data)
        return None

    async def take(self, count: int) -> list[tuple[str, Any]]:
        """The next events; fails when the stream ends before."""
        found: list[tuple[str, Any]] = []
        for _ in range(count):
            event = await self.next()
            assert event is not None, found
            found.append(event)
        return found

    async def rest(self) -> list[tuple[str, Any]]:
        """Every event until the stream ends."""
        found: list[tuple[str, Any]] = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, path: str = "/api/jobs/events", **headers: str
) -> AsyncIterator[Events]:
    """An open stream; headers by names with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.stream("GET", path, headers=named) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Events(response)


@asynccontextmanager
async def begun(
    client: httpx.AsyncClient, path: str = "/api/jobs/events", **headers: str
) -> AsyncIterator[Events]:
    """As `listening`, once it has said where it begins: what happens from then on is told."""
    async with listening(client, path, **headers) as events:
        async with asyncio.timeout(15):
            async for line in events._lines:
                if line.startswith("id: "):
                    events.last_id = line.removeprefix("id: ")
                    break
        yield events
