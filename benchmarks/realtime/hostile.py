"""Clients that mean no good, each at it again as soon as it is sent away.

    python hostile.py PORT SECONDS TOKENS

TOKENS is a JSON object of a token for each of those in `ATTACKS` that shall be at it. Ends by
printing how often each was let in, and what it was told when it was sent away.

Attackers have machines of their own. Here they share one with those whom they disturb, so they
get the CPU that nobody else wants (`SCHED_IDLE` where there is such a thing), and they send in
small pieces: while the kernel takes a megabyte from a process, others may have to wait for that
core.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable

UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HALF_OPEN = 100
PAUSE_S = 0.05
PATIENCE_S = 15.0
MIB = 1024 * 1024
PIECE = 16 * 1024
_TEXT, _CLOSE = 0x81, 0x88


def frame(payload: bytes, first: int = _TEXT) -> bytes:
    """A frame of a client, masked with zeros, which leaves it as it is."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


class Intruder:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def hears(self) -> tuple[int, bytes]:
        """The next frame: its first byte and its payload."""
        first, size = await self._reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        return first, await self._reader.readexactly(size)

    async def opens(self) -> None:
        """Ask for a websocket."""
        self.writer.write(UPGRADE)
        await self._reader.readuntil(b"\r\n\r\n")
        await self.hears()

    async def introduces(self, token: str) -> None:
        """Say who one is."""
        self.writer.write(frame(b"40" + json.dumps({"token": token}).encode()))
        while not (await self.hears())[1].startswith(b"40"):
            pass

    async def last_words(self) -> str:
        """Why one was sent away."""
        while True:
            first, payload = await self.hears()
            if first == _CLOSE:
                return f"{int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}"

    async def pours(self, data: bytes, times: int) -> None:
        """Send for as long as it is taken."""
        for _ in range(times):
            for start in range(0, len(data), PIECE):
                self.writer.write(data[start : start + PIECE])
                await self.writer.drain()


Attack = Callable[[Intruder], Awaitable[None]]


async def never_read(intruder: Intruder) -> None:
    """Let everything pile up; somebody writes for this user all the time."""
    intruder.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(PATIENCE_S - 1)


async def flood(intruder: Intruder) -> None:
    """A hundred thousand tiny events."""
    await intruder.pours(frame(b'42["nothing"]') * 1_000, 100)


async def send_frames_of_50_mb(intruder: Intruder) -> None:
    """One frame, as fast as it is taken."""
    intruder.writer.write(b"\x81\xff" + (50 * MIB).to_bytes(8, "big") + bytes(4))
    await intruder.pours(b"x" * MIB, 50)


async def send_malformed_packets(intruder: Intruder) -> None:
    """What no protocol knows."""
    await intruder.pours(frame(b'451000000-["a",{"_placeholder":true,"num":0}]'), 10)


async def subscribe_ten_thousand_times(intruder: Intruder) -> None:
    """To ten thousand jobs that are not."""
    frames = (frame(b'42%d["subscribe:job","job%d"]' % (n, n)) for n in range(10_000))
    await intruder.pours(b"".join(frames), 1)


async def steal_rooms(intruder: Intruder) -> None:
    """Ask for the jobs and rooms of others, slowly enough to be allowed to."""
    for number in range(400):
        name = f"user{number}_resume-optimization_0123456789abcdef" if number % 2 else "user:user1"
        intruder.writer.write(frame(f'42{number}["subscribe:job","{name}"]'.encode()))
        await asyncio.sleep(0.025)


async def stay_half_open(intruder: Intruder) -> None:
    """Many connections beside, which have half a request, or say nothing once they are open."""
    port = intruder.writer.get_extra_info("peername")[1]
    writers = []
    for number in range(HALF_OPEN):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE[: len(UPGRADE) // 2] if number % 2 else UPGRADE)
        writers.append(writer)
    try:
        await asyncio.sleep(PATIENCE_S)
    finally:
        for writer in writers:
            writer.transport.abort()


ATTACKS: dict[str, Attack] = {
    "hostile-silent": never_read,
    "hostile-flood": flood,
    "hostile-huge": send_frames_of_50_mb,
    "hostile-malformed": send_malformed_packets,
    "hostile-subscriber": subscribe_ten_thousand_times,
    "hostile-thief": steal_rooms,
    "hostile-half-open": stay_half_open,
}


async def attack_once(port: int, token: str, attack: Attack) -> str:
    """Be let in, attack, and hear why one is sent away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    intruder = Intruder(reader, writer)
    try:
        await asyncio.wait_for(intruder.opens(), PATIENCE_S)
        if attack is not stay_half_open:
            await asyncio.wait_for(intruder.introduces(token), PATIENCE_S)
        attacking = asyncio.ensure_future(attack(intruder))
        try:
            if attack is never_read:
                await attacking
                writer.transport.resume_reading()  # type: ignore[attr-defined]
            return await asyncio.wait_for(intruder.last_words(), PATIENCE_S)
        except TimeoutError:
            return "stayed"
        except (ConnectionError, asyncio.IncompleteReadError):
            return "cut off"
        finally:
            attacking.cancel()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await attacking
    finally:
        writer.transport.abort()


async def main(port: int, seconds: float, tokens: dict[str, str]) -> None:
    """Attack in every way there is a token for, at once, for so long."""
    told: dict[str, Counter[str]] = defaultdict(Counter)

    async def again_and_again(name: str, attack: Attack) -> None:
        while True:
            try:
                told[name][await attack_once(port, tokens[name], attack)] += 1
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                told[name]["not let in"] += 1
            await asyncio.sleep(PAUSE_S)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(again_and_again(name, ATTACKS[name]) for name in tokens))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3])))
