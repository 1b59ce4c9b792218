"""Requests that never end, and frames that want more answers than are read: none is kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import Product, in_production
from support import Valkey

PARTS = ["api", "socket"]
MIB = 1024 * 1024
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING = b"\x89\xfd\0\0\0\0" + b"p" * 125


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, valkey_server: Valkey) -> Iterator[Product]:
    """API and gateway as they run in production."""
    with in_production(tmp_path_factory.mktemp("product"), valkey_server.url) as product:
        yield product


def port_of(product: Product, part: str) -> int:
    return product.api_port if part == "api" else product.socket_port


def resident_bytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def pour(port: int, start: bytes, chunks: Iterator[bytes]) -> tuple[int, bytes]:
    """Send for as long as the server takes it; how much it took, and what it answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    sent = 0
    try:
        for chunk in chunks:
            writer.write(chunk)
            sent += len(chunk)
            await writer.drain()
            await asyncio.sleep(0)
            if reader.at_eof():
                break
    except ConnectionError:
        pass
    try:
        answer = await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        answer = b""
    writer.close()
    return sent, answer


def header_lines() -> Iterator[bytes]:
    return (b"X-%d: %s\r\n" % (number, b"y" * 8_000) for number in range(5_000))


def one_line() -> Iterator[bytes]:
    return (b"y" * 8_000 for _ in range(5_000))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n", header_lines),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: ", one_line),
        (b"GET /", one_line),
    ],
    ids=["headers", "header", "address"],
)
async def test_a_head_without_end_is_cut(
    product: Product, part: str, start: bytes, more: Callable[[], Iterator[bytes]]
) -> None:
    before = resident_bytes(product.pid(part))
    sent, answer = await pour(port_of(product, part), start, more())
    assert sent < 10 * MIB
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    assert resident_bytes(product.pid(part)) - before < 10 * MIB


@pytest.mark.parametrize("part", PARTS)
async def test_a_large_head_in_one_piece_is_refused_and_a_usual_one_taken(
    product: Product, part: str
) -> None:
    for size, status in ((100_000, b" 431 "), (16_000, b" 200 ")):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(product, part))
        writer.write(
            b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * size + b"\r\n\r\n"
        )
        assert status in await asyncio.wait_for(reader.readline(), 5)
        writer.close()


@pytest.mark.parametrize("part", PARTS)
async def test_who_never_finishes_asking_is_hung_up_on(product: Product, part: str) -> None:
    """Within ten seconds, so that no number of idle connections shuts others out for long."""

    async def hold(head: bytes, drip: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(product, part))
        writer.write(head)
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            await asyncio.wait({ended}, timeout=1)
            if drip and not ended.done():
                writer.write(drip)
        writer.close()

    answered = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
    async with asyncio.timeout(14):
        await asyncio.gather(
            hold(b"", b""),
            hold(b"", b"\r\n"),
            hold(b"GET / HTTP/1.1\r\nHost: l", b""),
            hold(b"GET / HTTP/1.1\r\nX: ", b"y"),
            hold(answered + b"Content-Length: 1000000\r\n\r\n", b"y"),
            hold(answered + b"\r\nGET / HTTP/1.1\r\nX: ", b"y"),
        )


async def test_a_body_that_drips_into_a_poll_is_given_up(product: Product) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", product.socket_port)
    writer.write(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n")
    greeting = await asyncio.wait_for(reader.readuntil(b"}"), 5)
    sid = re.search(rb'"sid":"([^"]+)"', greeting)
    assert sid is not None
    writer.write(
        b"POST /socket.io/?EIO=4&transport=polling&sid=" + sid[1] + b" HTTP/1.1\r\n"
        b"Host: localhost\r\nContent-Length: 1000\r\n\r\n"
    )
    ended = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(25):
        while not ended.done():
            await asyncio.wait({ended}, timeout=0.5)
            if not ended.done():
                writer.write(b"4")
    writer.close()


async def test_pings_are_answered_only_as_fast_as_answers_are_read(product: Product) -> None:
    before = resident_bytes(product.pid("socket"))
    reader, writer = await asyncio.open_connection("127.0.0.1", product.socket_port)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        for _ in range(600):
            writer.write(PING * 500)
            await asyncio.wait_for(writer.drain(), 5)
    except (ConnectionError, TimeoutError):
        pass
    assert resident_bytes(product.pid("socket")) - before < 15 * MIB
    writer.transport.abort()
