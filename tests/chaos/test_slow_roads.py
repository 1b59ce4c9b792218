"""A proxy between that holds bytes back, and hangs up on who is silent: streams get through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from apis import running_api
from event_streams import begun
from figures import IS_WHOLE, show, sized
from telling import Teller

HELD_BYTES = 4_096
PATIENCE_S = 20.0
"""Usual is a minute; ours has less than two heartbeats' worth."""
IDLE_S = sized(0, 600)


@dataclass
class Buffering:
    """Passes answers on by four kilobytes, as nginx does, unless told not to by their head."""

    upstream_port: int
    port: int = 0
    hung_up: int = 0
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        asking = asyncio.create_task(self._requests(reader, up_writer))
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answers(up_reader, writer)
        finally:
            asking.cancel()
            for end in (up_writer, writer):
                end.transport.abort()
            self._serving.discard(serving)

    async def _requests(
        self, reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65_536):
            up_writer.write(data)

    async def _answers(self, up_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = await up_reader.readuntil(b"\r\n\r\n")
        passes_at_once = b"x-accel-buffering: no" in held.lower()
        while True:
            if passes_at_once or len(held) >= HELD_BYTES:
                writer.write(held)
                held = b""
            try:
                async with asyncio.timeout(PATIENCE_S):
                    data = await up_reader.read(65_536)
            except TimeoutError:
                self.hung_up += 1
                return
            if not data:
                writer.write(held)
                return
            held += data

    async def close(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


@asynccontextmanager
async def buffering_proxy(upstream_port: int) -> AsyncIterator[Buffering]:
    proxy = Buffering(upstream_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()


@pytest.mark.timeout(900)
async def test_a_stream_gets_through_a_proxy_that_buffers(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    teller = Teller(redis)
    async with running_api(redis_url, tmp_path) as api, buffering_proxy(api.port) as proxy:
        async with api.client("ada") as direct:
            headers = dict(direct.headers)
        url = f"http://127.0.0.1:{proxy.port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
            asked = time.monotonic()
            async with begun(client) as events:
                first_byte_s = time.monotonic() - asked
                for _ in range(3):
                    await teller.tell(["ada"])
                    told = await events.next()
                    assert told is not None
                    assert told[1]["id"] == teller.ids["ada"][-1]
                await asyncio.sleep(IDLE_S)
                await teller.tell(["ada"])
                told = await events.next()
                assert told is not None
                assert told[1]["id"] == teller.ids["ada"][-1]
    show(
        "J10",
        first_byte_s=round(first_byte_s, 3),
        idle_s=IDLE_S,
        heartbeats=events.comments.count(" ping"),
        cuts=proxy.hung_up,
    )
    assert proxy.hung_up == 0
    if IS_WHOLE:
        assert first_byte_s <= 1.0
