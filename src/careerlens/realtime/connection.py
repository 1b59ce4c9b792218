"""One Engine.IO connection (protocol 4), whatever carries it: what to send, and whether it lives.

                send()                       next_packet() / next_packets()
    session ───────────────▶ bounded outbox ─────────────────────────────▶ websocket or polling
            ◀───────────────                ◀─────────────────────────────
              on_message()    rate budget           receive()

The outbox is what a slow client costs at most: when it is full the connection is closed, with
the reason in place of what could not be delivered. The client comes back and resumes from the
last entry it has.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import orjson

from careerlens.foundation.logging import get_logger
from careerlens.realtime.budget import TokenBucket

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PROBE = "probe"
_log = get_logger("careerlens.realtime.connection")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one connection may cost, and how long things may take."""

    ping_interval_s: float = 25.0
    ping_timeout_s: float = 20.0
    introduction_s: float = 10.0
    """How long a client may stay without saying who it is."""
    upgrade_s: float = 10.0
    body_s: float = 10.0
    """How long the body of a poll may take to come."""
    flush_s: float = 3.0
    """How long a closed connection may take to hand over its last packets."""
    stall_s: float = 10.0
    """How long a client may leave half of its outbox unread."""
    max_payload_bytes: int = 65_536
    outbox_packets: int = 4_096
    outbox_bytes: int = 1_048_576
    packets_per_s: float = 50.0
    packets_at_once: float = 300.0
    bytes_per_s: float = 131_072.0
    bytes_at_once: float = 524_288.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """The other side: its address, and the Host it asked for. None where unknown or forwarded."""

    address: str | None
    host: str | None


class Connection:
    """Created by the endpoint, filled by a session. All methods belong to the event loop."""

    def __init__(self, peer: Peer, limits: Limits) -> None:
        self.sid = secrets.token_urlsafe(18)
        self.peer = peer
        self.limits = limits
        self.on_message: Callable[[str], Awaitable[None]] | None = None
        self.on_closed: Callable[[str], None] | None = None
        self.is_polled = False
        self.is_websocket = False
        self.is_upgrading = False
        self.closed_because: str | None = None
        self._outbox: deque[str] = deque()
        self._outbox_bytes = 0
        self._readable = asyncio.Event()
        self._has_room = asyncio.Event()
        self._closed = asyncio.Event()
        self._packets = TokenBucket(limits.packets_per_s, limits.packets_at_once)
        self._bytes = TokenBucket(limits.bytes_per_s, limits.bytes_at_once)
        self._loop = asyncio.get_running_loop()
        self._heartbeat = self._loop.call_later(limits.ping_interval_s, self._ping)

    def greet(self, *, upgrades: Iterable[str]) -> None:
        """Queue the packet that opens the connection."""
        greeting = {
            "sid": self.sid,
            "upgrades": list(upgrades),
            "pingInterval": int(self.limits.ping_interval_s * 1000),
            "pingTimeout": int(self.limits.ping_timeout_s * 1000),
            "maxPayload": self.limits.max_payload_bytes,
        }
        self._queue(OPEN + orjson.dumps(greeting).decode())

    # Towards the client

    def send(self, message: str) -> bool:
        """Queue a message; False when the connection is closed, or its client is too slow."""
        if self.closed_because is not None or self._is_full():
            return False
        self._queue(MESSAGE + message)
        return True

    @property
    def has_backlog(self) -> bool:
        """Whether half of the outbox is in use: whoever can wait should."""
        return (
            len(self._outbox) > self.limits.outbox_packets // 2
            or self._outbox_bytes > self.limits.outbox_bytes // 2
        )

    async def room(self) -> bool:
        """Wait while there is a backlog.

        False when the connection is closed, or the client has not made room in time.
        """
        try:
            async with asyncio.timeout(self.limits.stall_s):
                while self.has_backlog and self.closed_because is None:
                    self._has_room.clear()
                    await self._has_room.wait()
        except TimeoutError:
            return False
        return self.closed_because is None

    def close(self, reason: str, farewell: str | None = None, *, at_once: bool = False) -> None:
        """Close; the first reason stands. What is queued is still handed over, then `farewell`.

        `at_once` drops what is queued, for a client that does not read it.
        """
        if self.closed_because is not None:
            return
        self.closed_because = reason
        self._heartbeat.cancel()
        if at_once:
            self._outbox.clear()
            self._outbox_bytes = 0
        if farewell is not None:
            self._queue(MESSAGE + farewell)
        self._queue(CLOSE)
        self._closed.set()
        self._has_room.set()
        if self.on_closed is not None:
            self.on_closed(reason)

    async def wait_closed(self) -> None:
        """Return when the connection is closed; last packets may still be queued."""
        await self._closed.wait()

    # From the transport

    @property
    def is_drained(self) -> bool:
        """Whether nothing is queued."""
        return not self._outbox

    async def readable(self) -> None:
        """Return when there is something to hand over, or a poll has to end."""
        if not (self._outbox or self.is_upgrading or self.closed_because):
            self._readable.clear()
        await self._readable.wait()

    async def next_packet(self) -> str | None:
        """The next packet; None once the connection is closed and everything handed over."""
        while not self._outbox:
            if self.closed_because is not None:
                return None
            self._readable.clear()
            await self._readable.wait()
        return self._take()

    def next_packets(self, limit: int) -> list[str]:
        """What is queued, at most `limit` packets."""
        return [self._take() for _ in range(min(limit, len(self._outbox)))]

    def end_polls(self) -> None:
        """Let polls return with nothing, so that the client can change its transport."""
        self.is_upgrading = True
        self._readable.set()

    async def receive(self, packet: str) -> None:
        """Take one packet of the client's; what is not allowed closes the connection."""
        if self.closed_because is not None:
            return
        if not (self._packets.spend(1) and self._bytes.spend(len(packet))):
            self.close("rate_limited", at_once=True)
        elif packet[:1] == MESSAGE and self.on_message is not None:
            await self._hand_over(packet[1:])
        elif packet == PONG:
            self._beat(self.limits.ping_interval_s, self._ping)
        elif packet == CLOSE:
            self.close("client_closed", at_once=True)
        elif packet not in {NOOP, UPGRADE}:
            self.close("protocol_error", at_once=True)

    async def _hand_over(self, message: str) -> None:
        assert self.on_message is not None, "a session listens before a transport reads"
        try:
            await self.on_message(message)
        except Exception:  # noqa: BLE001 (logged; it concerns these clients alone)
            # One client's packet must not take the process down; the log has the traceback.
            _log.exception("session_failed", sid=self.sid)
            self.close("internal_error", at_once=True)

    def _is_full(self) -> bool:
        return (
            len(self._outbox) >= self.limits.outbox_packets
            or self._outbox_bytes >= self.limits.outbox_bytes
        )

    def _queue(self, packet: str) -> None:
        self._outbox.append(packet)
        self._outbox_bytes += len(packet)
        self._readable.set()

    def _take(self) -> str:
        packet = self._outbox.popleft()
        self._outbox_bytes -= len(packet)
        if not self.has_backlog:
            self._has_room.set()
        return packet

    def _ping(self) -> None:
        self._queue(PING)
        self._beat(self.limits.ping_timeout_s, lambda: self.close("ping_timeout", at_once=True))

    def _beat(self, delay: float, action: Callable[[], None]) -> None:
        self._heartbeat.cancel()
        self._heartbeat = self._loop.call_later(delay, action)
