"""One Engine.IO connection (protocol 4), whatever carries it: what to send, and whether it lives.

                send()                       frames, as fast as the client reads
    session ───────────────▶ bounded outbox ─────────────────────────────▶ websocket or polling
            ◀───────────────                ◀─────────────────────────────
              on_message()    rate budget           on_text()

The outbox is what a slow client costs at most: when it is full the connection is closed, with
the reason in place of what could not be delivered. The client comes back and resumes from the
last entry it has. A websocket that has room takes frames at once, and the outbox stays empty.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from careerlens.foundation.logging import get_logger
from careerlens.realtime.budget import Budget
from careerlens.realtime.frames import payload_of, text_frame
from careerlens.realtime.timing import Deadlines

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PROBE = "probe"
_CLOSE_CODES = {
    "draining": 1012,
    "internal_error": 1011,
    "token_expired": 4401,
    "token_revoked": 4401,
}
_POLICY = 1008
_PING_FRAME = text_frame(PING)
_CLOSE_FRAME = text_frame(CLOSE)
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
    """The other side: its address, and the Host it asked for. None where unknown or forwarded.

    `counted_as` is the address that it counts for, which may be what a proxy has told.
    """

    address: str | None
    host: str | None
    counted_as: str | None = None


class Listener(Protocol):
    """Who speaks over a connection."""

    def on_message(self, text: str) -> None:
        """A message came."""

    def on_heartbeat(self) -> None:
        """The client is about to be asked whether it lives, as it is from time to time."""

    def on_closed(self, reason: str) -> None:
        """The connection is closed."""

    async def caught_up(self) -> None:
        """Return when what came has been worked off."""


class Carrier(Protocol):
    """A websocket, as far as a connection needs it."""

    can_write: bool

    @property
    def buffered_bytes(self) -> int:
        """How much of what was written is still on its way to the network."""

    def write(self, data: bytes) -> None:
        """Send frames."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and close."""

    def pause_reading(self) -> None:
        """Take nothing more for now."""

    def resume_reading(self) -> None:
        """Take more."""


class Heart:
    """Asks the clients of all connections whether they live."""

    def __init__(self, limits: Limits) -> None:
        self._pings = Deadlines[Connection](limits.ping_interval_s, self._ping)
        self._pongs = Deadlines[tuple[Connection, int]](limits.ping_timeout_s, self._end)

    def rest(self, connection: Connection) -> None:
        """Ask this one after a while."""
        self._pings.add(connection)

    def _ping(self, connection: Connection) -> None:
        asked = connection.ping()
        if asked is not None:
            self._pongs.add((connection, asked))

    def _end(self, asked: tuple[Connection, int]) -> None:
        connection, number = asked
        if connection.unanswered_ping == number:
            connection.close("ping_timeout", at_once=True)


class Connection:
    """Created by the endpoint, filled by a session. All methods belong to the event loop."""

    __slots__ = (
        "_budget",
        "_carrier",
        "_closed",
        "_has_room",
        "_heart",
        "_outbox",
        "_outbox_bytes",
        "_pings",
        "_readable",
        "closed_because",
        "is_polled",
        "is_posted_to",
        "is_upgrading",
        "limits",
        "listener",
        "peer",
        "sid",
        "unanswered_ping",
    )

    def __init__(self, peer: Peer, limits: Limits, heart: Heart) -> None:
        self.sid = secrets.token_urlsafe(18)
        self.peer = peer
        self.limits = limits
        self.listener: Listener | None = None
        self.is_polled = False
        self.is_posted_to = False
        self.is_upgrading = False
        self.closed_because: str | None = None
        self.unanswered_ping: int | None = None
        self._pings = 0
        self._heart = heart
        self._carrier: Carrier | None = None
        self._budget = Budget(limits.packets_at_once, limits.bytes_at_once)
        # Made when there is something to keep, or somebody waits: most connections are idle.
        self._outbox: deque[bytes] | None = None
        self._outbox_bytes = 0
        self._readable: asyncio.Event | None = None
        self._has_room: asyncio.Event | None = None
        self._closed: asyncio.Event | None = None
        heart.rest(self)

    @property
    def is_websocket(self) -> bool:
        """Whether a websocket carries it now."""
        return self._carrier is not None

    def greet(self, *, upgrades: Iterable[str]) -> None:
        """Send the packet that opens the connection."""
        greeting = {
            "sid": self.sid,
            "upgrades": list(upgrades),
            "pingInterval": int(self.limits.ping_interval_s * 1000),
            "pingTimeout": int(self.limits.ping_timeout_s * 1000),
            "maxPayload": self.limits.max_payload_bytes,
        }
        self._put(text_frame(OPEN + orjson.dumps(greeting).decode()))

    def carry_by(self, carrier: Carrier) -> None:
        """Let a websocket carry it from now on."""
        self.is_upgrading = False
        self._carrier = carrier
        self.on_room()

    # Towards the client

    def send(self, message: str) -> bool:
        """Send a message; False when the connection is closed, or its client is too slow."""
        return self.send_frames((message_frame(message),))

    def send_frames(self, frames: Sequence[bytes], joined: bytes | None = None) -> bool:
        """As `send`, of messages that are frames already; `joined` holds all of them."""
        if self.closed_because is not None:
            return False
        carrier = self._carrier
        if carrier is not None and carrier.can_write and not self._outbox:
            carrier.write(b"".join(frames) if joined is None else joined)
            return True
        if self._is_full():
            return False
        for frame in frames:
            self._put(frame)
        return True

    @property
    def buffered_bytes(self) -> int:
        """What waits here, or in the transport, for the client to read it."""
        return self._outbox_bytes + (self._carrier.buffered_bytes if self._carrier else 0)

    @property
    def has_backlog(self) -> bool:
        """Whether half of the outbox is in use: whoever can wait should."""
        if not self._outbox:
            return False
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
                    self._has_room = self._has_room or asyncio.Event()
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
        self.unanswered_ping = None
        if at_once:
            self._outbox = None
            self._outbox_bytes = 0
        if farewell is not None:
            self._queue(message_frame(farewell))
        carrier = self._carrier
        if carrier is None:
            self._queue(_CLOSE_FRAME)
        else:
            # A websocket says goodbye by a frame of its own, as from Engine.IO's own server: told
            # twice, python-engineio waits half a minute before it believes it.
            carrier.write(b"".join(self._outbox or ()))
            carrier.close(_CLOSE_CODES.get(reason, _POLICY), reason)
            self._outbox = None
        for waited_for in (self._closed, self._has_room):
            if waited_for is not None:
                waited_for.set()
        if self.listener is not None:
            self.listener.on_closed(reason)

    async def wait_closed(self) -> None:
        """Return when the connection is closed; last packets may still be on their way."""
        if self.closed_because is None:
            self._closed = self._closed or asyncio.Event()
            await self._closed.wait()

    def ping(self) -> int | None:
        """Ask whether the client lives; the number of the question, None when it is closed."""
        if self.closed_because is not None:
            return None
        if self.listener is not None:
            self.listener.on_heartbeat()
        self._pings += 1
        self.unanswered_ping = self._pings
        self._put(_PING_FRAME)
        return self._pings

    # From a websocket

    def on_text(self, text: str) -> None:
        """Take one packet of the client's; what is not allowed closes the connection."""
        size = len(text) if text.isascii() else len(text.encode())
        if self.closed_because is not None or not self.may_speak(size):
            return
        if text[:1] == MESSAGE and self.listener is not None:
            self._hand_over(text[1:])
        elif text == PONG:
            if self.unanswered_ping is not None:
                self.unanswered_ping = None
                self._heart.rest(self)
        elif text == CLOSE:
            self.close("client_closed", at_once=True)
        elif text not in {NOOP, UPGRADE}:
            self.close("protocol_error", at_once=True)

    def on_room(self) -> None:
        """The websocket takes more."""
        carrier = self._carrier
        assert carrier is not None, "only what carries us has room"
        while self._outbox and carrier.can_write:
            carrier.write(self._take())
        if not self._outbox:
            self._outbox = None

    def on_lost(self, reason: str) -> None:
        """The websocket is gone."""
        self.close(reason, at_once=True)
        self._carrier = None

    def may_speak(self, size: int) -> bool:
        """Whether the client may send so many bytes now; it is sent away otherwise."""
        limits = self.limits
        if self._budget.spend(
            size,
            packets_per_s=limits.packets_per_s,
            packets_at_once=limits.packets_at_once,
            bytes_per_s=limits.bytes_per_s,
            bytes_at_once=limits.bytes_at_once,
        ):
            return True
        self.close("rate_limited", at_once=True)
        return False

    def pause_reading(self) -> None:
        """Take nothing more from the client for now. A poll waits by itself."""
        if self._carrier is not None:
            self._carrier.pause_reading()

    def resume_reading(self) -> None:
        """Take more from the client."""
        if self._carrier is not None:
            self._carrier.resume_reading()

    # From polls

    @property
    def is_drained(self) -> bool:
        """Whether nothing is queued."""
        return not self._outbox

    async def readable(self) -> None:
        """Return when there is something to hand over, or a poll has to end."""
        self._readable = self._readable or asyncio.Event()
        if self._outbox or self.is_upgrading or self.closed_because:
            return
        self._readable.clear()
        await self._readable.wait()

    def next_packets(self, limit: int) -> list[bytes]:
        """What is queued, at most `limit` packets."""
        waiting = len(self._outbox) if self._outbox else 0
        return [payload_of(self._take()) for _ in range(min(limit, waiting))]

    def end_polls(self) -> None:
        """Let polls return with nothing, so that the client can change its transport."""
        self.is_upgrading = True
        if self._readable is not None:
            self._readable.set()

    # Within

    def _hand_over(self, message: str) -> None:
        assert self.listener is not None, "a session listens before a transport reads"
        try:
            self.listener.on_message(message)
        except Exception:  # noqa: BLE001 (logged; it concerns these clients alone)
            # One client's packet must not take the process down; the log has the traceback.
            _log.exception("session_failed", sid=self.sid)
            self.close("internal_error", at_once=True)

    def _is_full(self) -> bool:
        return self._outbox is not None and (
            len(self._outbox) >= self.limits.outbox_packets
            or self._outbox_bytes >= self.limits.outbox_bytes
        )

    def _put(self, frame: bytes) -> None:
        carrier = self._carrier
        if carrier is not None and carrier.can_write and not self._outbox:
            carrier.write(frame)
        else:
            self._queue(frame)

    def _queue(self, frame: bytes) -> None:
        if self._outbox is None:
            self._outbox = deque()
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)
        if self._readable is not None:
            self._readable.set()

    def _take(self) -> bytes:
        assert self._outbox, "somebody has looked"
        frame = self._outbox.popleft()
        self._outbox_bytes -= len(frame)
        if self._has_room is not None and not self.has_backlog:
            self._has_room.set()
        return frame


def message_frame(message: str) -> bytes:
    """The frame of a Socket.IO packet."""
    return text_frame(MESSAGE + message)
