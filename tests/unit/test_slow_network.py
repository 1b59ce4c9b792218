"""The proxy that makes a network slow for the benchmarks hands on all bytes, in their order."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PROXY = Path(__file__).parents[2] / "benchmarks" / "queue" / "proxy.py"


@asynccontextmanager
async def through_proxy() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, one millisecond long, to a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = await asyncio.create_subprocess_exec(
        sys.executable, str(PROXY), str(port), "1", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert proxy.stdout
        its_port = json.loads(await proxy.stdout.readline())["port"]
        reader, writer = await asyncio.open_connection("127.0.0.1", its_port)
        yield reader, writer
        writer.close()
        await writer.wait_closed()
    finally:
        proxy.kill()
        await proxy.wait()
        server.close()
        await server.wait_closed()


async def test_all_bytes_come_back_in_order_although_more_are_sent_than_are_read() -> None:
    sent = b"".join(number.to_bytes(4, "big") for number in range(2_000_000))
    async with through_proxy() as (reader, writer):
        writer.write(sent)  # 8 MB, which no socket takes at once
        assert await reader.readexactly(len(sent)) == sent


async def test_the_end_of_one_side_reaches_the_other() -> None:
    async with through_proxy() as (reader, writer):
        writer.write(b"the last words")
        assert await reader.readexactly(14) == b"the last words"
        writer.write_eof()
        assert await reader.read() == b""
