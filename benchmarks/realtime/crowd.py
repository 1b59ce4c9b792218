"""Very many clients of a gateway in one process, each for little: frames are counted, not decoded.

A client speaks what a browser would: the websocket's upgrade, Engine.IO's and Socket.IO's
handshakes with a token, pongs. It masks its frames with zeros, which leaves them as they are.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import cast

_UPGRADE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_TEXT, _SHORT, _LONG = 0x81, 126, 127
_PONG = b"\x81\x81\0\0\0\x003"
_MARK = b'"message":"'


class Crowd:
    """Clients of the gateway on `port`, told apart by nothing but their tokens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clients: list[Client] = []
        self.delivered = 0
        self.last_at = 0.0
        self.delays_ms: list[float] | None = None
        """Where not None, how long each entry took whose progress tells when it was sent."""
        self.lost = 0
        self._wanted = 0
        self._reached = asyncio.Event()

    async def grow(self, tokens: Sequence[str], *, at_once: int) -> float:
        """Connect a client for each token, so many at a time; the seconds taken."""
        started = time.perf_counter()
        waiting = iter(tokens)
        await asyncio.gather(*(self._connect(waiting) for _ in range(at_once)))
        seconds = time.perf_counter() - started
        order = {token: index for index, token in enumerate(tokens)}
        self.clients.sort(key=lambda client: order[client.token])
        return seconds

    async def shrink(self, left: int) -> None:
        """Close clients until those of the first so many tokens are left."""
        leaving, self.clients = self.clients[left:], self.clients[:left]
        for client in leaving:
            client.leave()
        for client in leaving:
            await client.closed.wait()

    async def receives(self, deliveries: int, *, within_s: float) -> None:
        """Return when so many entries have come to clients. Raises `TimeoutError`."""
        self._wanted = deliveries
        self._reached.clear()
        if self.delivered < deliveries:
            async with asyncio.timeout(within_s):
                await self._reached.wait()

    def take(self, payload: bytes) -> None:
        """Count an entry."""
        self.delivered += 1
        if self.delays_ms is not None:
            _, mark, told = payload.partition(_MARK)
            if mark:
                sent_ns = int(told[: told.index(b'"')])
                self.delays_ms.append((time.monotonic_ns() - sent_ns) / 1e6)
        if self.delivered == self._wanted:
            self.last_at = time.perf_counter()
            self._reached.set()

    async def _connect(self, tokens: Iterator[str]) -> None:
        loop = asyncio.get_running_loop()
        for token in tokens:
            client = Client(self, token)
            await loop.create_connection(lambda made=client: made, "127.0.0.1", self.port)  # type: ignore[misc]
            async with asyncio.timeout(30):
                await client.introduced
            self.clients.append(client)


class Client(asyncio.Protocol):
    """One client: counts what it is told for its crowd."""

    def __init__(self, crowd: Crowd, token: str) -> None:
        self.introduced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()
        self.token = token
        self._crowd = crowd
        self._hello = _frame(b"40" + json.dumps({"token": token}).encode())
        self._rest = b""
        self._is_upgraded = False
        self._is_leaving = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(_UPGRADE.format(port=self._crowd.port).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        self._crowd.lost += not self._is_leaving
        if not self.introduced.done():
            self.introduced.set_exception(ConnectionError("the gateway hung up"))

    def leave(self) -> None:
        """Close."""
        self._is_leaving = True
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at = 0
        if not self._is_upgraded:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.introduced.set_exception(ConnectionError(data[:200].decode()))
                return
            self._is_upgraded = True
        end = len(data)
        take = self._crowd.take
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            assert size != _LONG, "no frame of the benchmark is so large"
            if size == _SHORT:
                if end - at < 4:
                    break
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if end < start + size:
                break
            at = start + size
            if data[start : start + 2] == b"42":
                take(data[start:at])
            else:
                self._answer(data[start:at])
        self._rest = data[at:]

    def _answer(self, packet: bytes) -> None:
        if packet[:1] == b"0":
            self._transport.write(self._hello)
        elif packet[:1] == b"2":
            self._transport.write(_PONG)
        elif packet[:2] == b"40":
            self.introduced.set_result(None)
        elif not self.introduced.done():
            self.introduced.set_exception(ConnectionError(packet.decode(errors="replace")))


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    head = (
        bytes([0x80 | size]) if size < _SHORT else bytes([0x80 | _SHORT]) + size.to_bytes(2, "big")
    )
    return bytes([_TEXT]) + head + bytes(4) + payload
