"""Jobs that write, and readers of what they write over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from careerlens.foundation.errors import JobError, UnrecoverableError
from careerlens.jobs.context import IsolatedContext, JobContext
from careerlens.jobs.definitions import Registry, job
from careerlens.jobs.model import WireModel
from job_requests import at

BEGINNING = "-1"
FINAL_FAILURE = "This can never work."


class Story(WireModel):
    """`pieces` are written one by one, so many `times`; then the job ends as `ending` says."""

    pieces: list[str]
    times: int = 1
    ending: str = "well"


@job("story", attempts=2, backoff=0.05, timeout=30)
async def story(ctx: JobContext, data: Story) -> dict[str, Any]:
    """Write pieces."""
    for piece in data.pieces * data.times:
        await ctx.stream(piece)
    match data.ending:
        case "badly":
            raise UnrecoverableError(FINAL_FAILURE)
        case "second attempt" if ctx.attempt == 1:
            raise JobError("Once more.")
        case "second attempt":
            await ctx.stream("!")
        case "never":
            await asyncio.Event().wait()
    return {"pieces": len(data.pieces)}


@job("silent-on-retry", attempts=2, backoff=0.05)
async def silent_on_retry(ctx: JobContext, data: Story) -> None:
    """Write at the first attempt alone."""
    if ctx.attempt == 1:
        await ctx.stream("".join(data.pieces))
        raise JobError("Once more.")


@job("story-apart", timeout=30, attempts=1)
def story_apart(ctx: IsolatedContext, data: Story) -> int:
    """Write pieces in a process of its own."""
    for piece in data.pieces * data.times:
        ctx.stream(piece)
    return len(data.pieces)


REGISTRY = Registry.of(story, silent_on_retry, story_apart)


@dataclass
class Event:
    """One event of a text's event stream."""

    name: str
    data: str

    @property
    def control(self) -> dict[str, Any]:
        """What a control event says."""
        assert self.name == "control", self
        found: dict[str, Any] = json.loads(self.data)
        return found


async def read(
    client: httpx.AsyncClient, job_id: str, offset: str = BEGINNING, **query: str
) -> httpx.Response:
    """One request for the text after the offset."""
    return await client.get(at(job_id, "stream"), params={"offset": offset, **query})


@asynccontextmanager
async def events(
    client: httpx.AsyncClient,
    job_id: str,
    offset: str = BEGINNING,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[AsyncIterator[Event]]:
    """The events after the offset, until the server ends them or the block is left."""
    query = {"offset": offset, "live": "sse"}
    path = at(job_id, "stream")
    async with client.stream("GET", path, params=query, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield _parsed(response)


async def _parsed(response: httpx.Response) -> AsyncIterator[Event]:
    name, data = "", list[str]()
    async for line in _lines(response):
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and name:
            yield Event(name, "\n".join(data))
            name, data = "", []


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """As a browser ends lines: httpx would end one at U+2028 as well."""
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode()


async def whole_text(client: httpx.AsyncClient, job_id: str) -> str:
    """All that the job writes, read live until its end."""
    async with events(client, job_id) as found:
        return "".join([event.data async for event in found if event.name == "data"])
