"""The server's side of a websocket (RFC 6455), on the bare protocol of the event loop.

    head ──▶ opened by the gateway ──▶ frames ──▶ close frame ──▶ until the client closes as well
      └──refused by an HTTP answer                                 (or a few seconds are over)

There is no task and no timer for a socket that is open, and no buffer for one that is idle: ten
thousand of them have to fit into one process. Compression is not offered, binary not taken, and
no message is larger than it may be before it is complete.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from careerlens.realtime.connection import Limits
from careerlens.realtime.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FINAL,
    MAX_CONTROL_BYTES,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
    unmasked,
)
from careerlens.realtime.request import BAD_REQUEST, BadRequestError, Head

GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED, NOT_UTF8, POLICY, TOO_BIG = (
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
)
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_RESERVED_BITS, _OPCODE, _MASKED, _SIZE = 0x70, 0x0F, 0x80, 0x7F
_MOST_IGNORED_BYTES = 262_144
_MOST_IGNORED_FRAMES = 16
_FRAMES_A_TURN = 16
"""How many frames of one client are taken before everybody else has a turn."""
_KEY_LENGTH = 24
_WE_STOP = frozenset({GOING_AWAY, 1012})


class Handler(Protocol):
    """Who hears of a socket that is open."""

    def on_text(self, text: str) -> None:
        """A message came."""

    def on_room(self) -> None:
        """What was written has left: more can be written."""

    def on_lost(self, reason: str) -> None:
        """The socket is gone: `transport_closed`, or `protocol_error`."""

    def may_speak(self, size: int) -> bool:
        """Whether a frame of so many bytes that is no message may be taken; closes otherwise."""


class Turns:
    """Lets those who have sent much at once go on one after the other, one in a turn of the loop.

    However many they are, they take no more than that from everybody else.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` when it is its turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting.append(go_on)

    def _next(self) -> None:
        go_on = self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        go_on()


class Door(Protocol):
    """Who opens sockets."""

    limits: Limits
    turns: Turns

    def open_websocket(self, head: Head, socket: Websocket) -> None:
        """Accept the socket. Raises `BadRequestError` to refuse it."""


class Websocket(asyncio.Protocol):
    """One socket. uvicorn creates it, and hands over the head of the request that asks for it."""

    __slots__ = (
        "_connections",
        "_door",
        "_fragments",
        "_give_up",
        "_handler",
        "_ignored",
        "_is_closing",
        "_is_held",
        "_later",
        "_needed",
        "_rest",
        "_transport",
        "can_write",
    )

    def __init__(self, door: Door, *, server_state: Any, **_: object) -> None:
        self._door = door
        self._connections: set[Any] = server_state.connections
        self._transport: asyncio.Transport | None = None
        self._handler: Handler | None = None
        self._rest: bytearray | None = None
        self._needed = 0
        self._fragments: list[bytes] | None = None
        self._is_closing = False
        self._is_held = False
        self._later: tuple[bytes, int] | None = None
        """What came already and waits for its turn, and from where on."""
        self._ignored = 0
        self._give_up: asyncio.TimerHandle | None = None
        self.can_write = True
        """False while the other side reads too slowly for what was written already."""

    # For whoever opens and uses it

    @property
    def address(self) -> str | None:
        """The other side's."""
        assert self._transport is not None, "it was connected before its head was read"
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else None

    @staticmethod
    def check(head: Head) -> None:
        """Raise `BadRequestError` for what is no request for a websocket."""
        if (
            head.method != "GET"
            or len(head.headers.get("sec-websocket-key", "")) != _KEY_LENGTH
            or head.headers.get("sec-websocket-version") != "13"
        ):
            raise BadRequestError(*BAD_REQUEST)

    def accept(self, head: Head, handler: Handler) -> None:
        """Open the socket that `head` asks for."""
        key = head.headers["sec-websocket-key"]
        digest = hashlib.sha1(key.encode("latin-1") + _GUID.encode(), usedforsecurity=False)
        self._handler = handler
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest.digest()) + b"\r\n\r\n"
        )

    def hand_over(self, handler: Handler) -> None:
        """Let `handler` hear of the socket from now on."""
        self._handler = handler

    @property
    def buffered_bytes(self) -> int:
        """As `Carrier.buffered_bytes`."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def write(self, data: bytes) -> None:
        """Send frames."""
        if self._transport is not None and not self._is_closing:
            self._transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and cut the connection when the other side takes long over its own."""
        if self._is_closing:
            return
        self.write(close_frame(code, reason))
        self._hang_up_soon()
        if code in _WE_STOP and self._transport is not None:
            self._transport.close()  # a process that stops waits for nobody's goodbye

    def pause_reading(self) -> None:
        """Take nothing more from the network for now."""
        self._is_held = True
        self._stop_reading()

    def resume_reading(self) -> None:
        """Take more."""
        self._is_held = False
        self._read_on()

    # For the event loop, and uvicorn

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The head follows."""
        # A cast, not a check: uvloop's transports do not derive from asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone, or we are."""
        self._connections.discard(self)
        self._transport = None
        self._is_closing = True
        self._rest = self._fragments = self._later = None
        if self._give_up is not None:
            self._give_up.cancel()
        self._tell_lost("transport_closed")

    def shutdown(self) -> None:
        """The server stops."""
        self.close(GOING_AWAY, "draining")

    def pause_writing(self) -> None:
        """The other side reads too slowly."""
        self.can_write = False

    def resume_writing(self) -> None:
        """It has read."""
        self.can_write = True
        if self._handler is not None:
            self._handler.on_room()

    def data_received(self, data: bytes) -> None:
        """Take the head, once, and then frames."""
        if self._is_closing:
            self._ignored += len(data)
            if self._ignored > _MOST_IGNORED_BYTES:
                self._stop_reading()
                return
        elif self._handler is None:
            self._open(data)
            return
        if self._handler is None:
            return
        if self._rest is not None:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data, self._rest = bytes(self._rest), None
        self._take_frames(data, 0)

    # Within

    def _open(self, data: bytes) -> None:
        head = Head.of_http(data, address=self.address)
        try:
            self._door.open_websocket(head, self)
        except BadRequestError as error:
            self._handler = None
            self.write(error.as_http(head))
            self._hang_up_soon()
            if self._transport is not None:
                self._transport.close()

    def _fail(self, code: int, reason: str) -> None:
        """Close without waiting for a goodbye, which could not be told from the rest any more."""
        self.close(code, reason)
        self._hear_no_more()

    def _hear_no_more(self) -> None:
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        self._rest = self._fragments = None
        self._tell_lost("protocol_error")

    def _tell_lost(self, reason: str) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.on_lost(reason)

    def _hang_up_soon(self) -> None:
        self._is_closing = True
        if self._transport is not None:
            loop = asyncio.get_running_loop()
            self._give_up = loop.call_later(self._door.limits.flush_s, self._transport.abort)
        self.resume_reading()

    def _stop_reading(self) -> None:
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def _read_on(self) -> None:
        transport = self._transport
        if self._is_held or self._later is not None or transport is None:
            return
        if not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()

    def _take_frames(self, data: bytes, at: int) -> None:
        """Take the frames that are complete: some now, the others in turns of their own."""
        end, taken, ignored = len(data), 0, 0
        self._needed = 0
        while end - at >= 2 and self._handler is not None:
            if self._is_closing:
                ignored += 1
                if ignored > _MOST_IGNORED_FRAMES:
                    # Who floods on has more of them than can be looked through.
                    self._hear_no_more()
                    return
            elif taken == _FRAMES_A_TURN:
                self._go_on_later(data, at)
                return
            taken += 1
            first, second = data[at], data[at + 1]
            size, body = second & _SIZE, at + 2
            if size > MAX_CONTROL_BYTES:
                body += 2 if size == 126 else 8
                if end < body:
                    break
                size = int.from_bytes(data[at + 2 : body], "big")
            if problem := self._problem_with(first, second, size):
                self._fail(*problem)
                return
            if end < body + 4 + size:
                self._needed = body + 4 + size - at
                break
            payload = unmasked(data[body + 4 : body + 4 + size], data[body : body + 4])
            at = body + 4 + size
            self._take(first, payload)
        if at < end and self._handler is not None:
            self._rest = bytearray(data[at:])

    def _go_on_later(self, data: bytes, at: int) -> None:
        self._later = data, at
        self._stop_reading()
        self._door.turns.wait(self._go_on)

    def _go_on(self) -> None:
        if self._later is None:
            return  # the other side has gone meanwhile
        (data, at), self._later = self._later, None
        self._take_frames(data, at)
        self._read_on()

    def _problem_with(self, first: int, second: int, size: int) -> tuple[int, str] | None:
        """Why such a frame is not taken: before it has come whole."""
        opcode = first & _OPCODE
        if first & _RESERVED_BITS or not second & _MASKED or opcode not in _OPCODES:
            return PROTOCOL_ERROR, "protocol_error"
        if opcode >= CLOSE:
            malformed = size > MAX_CONTROL_BYTES or not first & FINAL
            return (PROTOCOL_ERROR, "protocol_error") if malformed else None
        if opcode == BINARY:
            return UNSUPPORTED, "binary is not taken"
        if (opcode == CONTINUATION) != (self._fragments is not None):
            return PROTOCOL_ERROR, "protocol_error"
        so_far = sum(map(len, self._fragments)) if self._fragments else 0
        if so_far + size > self._door.limits.max_payload_bytes:
            return TOO_BIG, "the message exceeds the maximum size"
        return None

    def _take(self, first: int, payload: bytes) -> None:
        opcode = first & _OPCODE
        if opcode == CLOSE:
            self._answer_goodbye(payload)
        elif self._is_closing or self._handler is None:
            return
        elif opcode <= TEXT:
            self._take_text(payload, is_last=bool(first & FINAL))
        elif self._handler.may_speak(len(payload)) and opcode == PING and self.can_write:
            # Where earlier answers are still unread, more of them would pile up in memory.
            self.write(frame(payload, PONG))

    def _take_text(self, payload: bytes, *, is_last: bool) -> None:
        assert self._handler is not None, "nothing is read before the socket is opened"
        if not is_last:
            if self._handler.may_speak(len(payload)):
                self._fragments = [*(self._fragments or ()), payload]
            return
        if self._fragments is not None:
            payload = b"".join((*self._fragments, payload))
            self._fragments = None
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._fail(NOT_UTF8, "not UTF-8")
            return
        self._handler.on_text(text)

    def _answer_goodbye(self, payload: bytes) -> None:
        if not self._is_closing:
            self.write(frame(payload[:2], CLOSE))
            self._hang_up_soon()
        if self._transport is not None:
            self._transport.close()
