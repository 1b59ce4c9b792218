"""Websockets byte by byte: frames that no client library would send, and what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tokens import token

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the example of section 1.3
HEADERS = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
PATH = "/socket.io/?EIO=4&transport=websocket"
MASK = b"\x0f\xf0\x55\xaa"


def frame(
    payload: bytes, *, opcode: int = 1, final: bool = True, bits: int = 0, masked: bool = True
) -> bytes:
    """A frame of a client."""
    first = opcode | bits | (0x80 if final else 0)
    second = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes((first, second | size))
    elif size < 1 << 16:
        head = bytes((first, second | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, second | 127)) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = int.from_bytes((MASK * (size // 4 + 1))[:size], "little")
    mixed = int.from_bytes(payload, "little") ^ mask
    return head + MASK + mixed.to_bytes(size, "little")


class Bytes:
    """A client that writes and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server: its opcode and payload."""
        async with asyncio.timeout(10):
            first, second = await self.reader.readexactly(2)
            assert first & 0xF0 == 0x80, "whole messages, no extensions"
            assert second < 0x80, "a server never masks"
            size = second
            if second >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if second == 126 else 8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def hears(self, start: str) -> str:
        """The next text that starts so."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1 and payload.decode().startswith(start):
                return payload.decode()

    async def is_closed(self) -> tuple[int, str]:
        """Code and reason of the close frame, and nothing after it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                break
        self.writer.write(frame(payload[:2], opcode=8))
        async with asyncio.timeout(10):
            assert await self.reader.read() == b""
        return int.from_bytes(payload[:2]), payload[2:].decode()


@asynccontextmanager
async def asking(
    port: int, *, method: str = "GET", path: str = PATH, **headers: str | None
) -> AsyncIterator[tuple[str, Bytes]]:
    """Ask for a websocket; the answer's head, and what follows."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {name: value for name, value in (HEADERS | changed).items() if value is not None}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
    try:
        async with asyncio.timeout(10):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        yield head, Bytes(reader, writer)
    finally:
        writer.transport.abort()  # what was written may never be read
        await asyncio.sleep(0)


@asynccontextmanager
async def introduced(port: int, user: str = "ada") -> AsyncIterator[Bytes]:
    """A client that has said who it is."""
    async with asking(port) as (head, client):
        assert head.startswith("HTTP/1.1 101")
        await client.hears("0")
        client.writer.write(frame(b"40" + json.dumps({"token": token(user)}).encode()))
        await client.hears("40")
        yield client
