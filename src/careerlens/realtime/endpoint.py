"""Engine.IO over ASGI: long-polling and websockets, and what neither may do.

Origins are compared with a list, exactly; a request without Origin comes from no web page, and
proves itself by its token like any other. Cookies are never read. Bodies and frames are bounded
before they are read, compression is off, binary is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from careerlens.auth import was_forwarded
from careerlens.foundation.logging import get_logger
from careerlens.realtime.connection import (
    NOOP,
    PING,
    PONG,
    PROBE,
    UPGRADE,
    Connection,
    Limits,
    Peer,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ABORT = "careerlens.abort"
"""ASGI extension of our server: a function that cuts the connection without waiting."""

MAX_CONNECTIONS = 20_000
_MAX_QUERY_FIELDS = 20
_SEPARATOR = "\x1e"
_MAX_PACKETS_PER_POST = 64
# Python's client refuses a body with more; browsers take any number.
_MAX_PACKETS_PER_POLL = 16
_CLOSE_CODES = {"draining": 1012, "internal_error": 1011, "token_expired": 4401}
_POLICY = 1008
_ORDINARY = frozenset({"client_closed", "client_left", "transport_closed"})
_log = get_logger("careerlens.realtime.endpoint")


class BadRequestError(Exception):
    """The request is no Engine.IO of ours; `code` is the protocol's number for why."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = orjson.dumps({"code": code, "message": message})


_UNKNOWN_TRANSPORT = (0, "Transport unknown")
_UNKNOWN_SESSION = (1, "Session ID unknown")
_BAD_METHOD = (2, "Bad handshake method")
_BAD_REQUEST = (3, "Bad request")
_FORBIDDEN = (4, "Forbidden")
_WRONG_VERSION = (5, "Unsupported protocol version")


class Endpoint:
    """The ASGI application below `/socket.io/`. `on_connection` gives each connection a session."""

    def __init__(
        self,
        *,
        origins: Collection[str],
        on_connection: Callable[[Connection], None],
        limits: Limits | None = None,
    ) -> None:
        self._origins = frozenset(origins) - {"*", "null"}
        self._on_connection = on_connection
        self._limits = limits or Limits()
        self._connections: dict[str, Connection] = {}
        self._upgrading: set[str] = set()
        self.is_draining = False

    @property
    def connections(self) -> Collection[Connection]:
        """The connections that are open, or still hand over their last packets."""
        return self._connections.values()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _Request(scope, receive, send)
        try:
            request.read_query()
            if request.origin is not None and request.origin not in self._origins:
                raise BadRequestError(*_FORBIDDEN, status=403)
            if scope["type"] == "websocket":
                await self._websocket(request)
            else:
                await self._polling(request)
        except BadRequestError as error:
            await request.refuse(error.status, error.body)

    # Long-polling

    async def _polling(self, request: _Request) -> None:
        if request.method == "OPTIONS":
            await request.answer(204, "")
            return
        if request.query("transport") != "polling" or request.query("j") is not None:
            raise BadRequestError(*_UNKNOWN_TRANSPORT)
        sid = request.query("sid")
        if sid is None:
            if request.method != "GET":
                raise BadRequestError(*_BAD_METHOD)
            connection = self._open(request, upgrades=["websocket"])
            await request.answer(
                200, _SEPARATOR.join(connection.next_packets(_MAX_PACKETS_PER_POLL))
            )
            return
        connection = self._find(sid)
        if connection.is_websocket:
            raise BadRequestError(*_BAD_REQUEST)
        if request.method == "GET":
            await self._poll(connection, request)
        elif request.method == "POST":
            await self._take_post(connection, request)
        else:
            raise BadRequestError(*_BAD_METHOD)

    async def _poll(self, connection: Connection, request: _Request) -> None:
        if connection.is_polled:
            # Two at once would share the packets between them, out of order.
            connection.close("protocol_error", at_once=True)
            raise BadRequestError(*_BAD_REQUEST)
        connection.is_polled = True
        try:
            if not await _first(connection.readable(), request.gone()):
                connection.close("transport_closed", at_once=True)
                return
            if connection.is_upgrading and connection.closed_because is None:
                packets = [NOOP]
            else:
                packets = connection.next_packets(_MAX_PACKETS_PER_POLL)
            await request.answer(200, _SEPARATOR.join(packets or [NOOP]))
        finally:
            connection.is_polled = False

    async def _take_post(self, connection: Connection, request: _Request) -> None:
        try:
            async with asyncio.timeout(self._limits.body_s):
                body = await request.body(self._limits.max_payload_bytes)
        except TimeoutError:
            raise BadRequestError(*_BAD_REQUEST, status=408) from None
        packets = body.split(_SEPARATOR, _MAX_PACKETS_PER_POST)
        if len(packets) > _MAX_PACKETS_PER_POST:
            connection.close("protocol_error", at_once=True)
        for packet in packets:
            await connection.receive(packet)
        if connection.closed_because not in {None, *_ORDINARY}:
            raise BadRequestError(*_BAD_REQUEST)
        await request.answer(200, "ok")

    # Websockets

    async def _websocket(self, request: _Request) -> None:
        if request.query("transport") != "websocket":
            raise BadRequestError(*_UNKNOWN_TRANSPORT)
        sid = request.query("sid")
        if sid is None:
            connection = self._open(request, upgrades=[])
            connection.is_websocket = True
            try:
                await request.accept()
            except BadRequestError:
                connection.close("transport_closed", at_once=True)
                raise
            await self._carry(connection, request)
            return
        connection = self._find(sid)
        if connection.is_websocket or sid in self._upgrading:
            raise BadRequestError(*_BAD_REQUEST)
        self._upgrading.add(sid)
        try:
            await request.accept()
            upgraded = await self._upgrade(connection, request)
        finally:
            self._upgrading.discard(sid)
            connection.is_upgrading = False
        if upgraded:
            connection.is_websocket = True
            await self._carry(connection, request)
        else:
            await request.close_websocket(_POLICY, "upgrade_failed")

    async def _upgrade(self, connection: Connection, request: _Request) -> bool:
        """The client tries the websocket, empties its last poll, then changes over."""
        try:
            async with asyncio.timeout(self._limits.upgrade_s):
                if await request.text() != PING + PROBE:
                    return False
                await request.send_text(PONG + PROBE)
                connection.end_polls()
                return await request.text() == UPGRADE and connection.closed_because is None
        except (TimeoutError, OSError):
            return False

    async def _carry(self, connection: Connection, request: _Request) -> None:
        reading = asyncio.create_task(_read(connection, request), name="websocket-read")
        writing = asyncio.create_task(_write(connection, request), name="websocket-write")
        try:
            await connection.wait_closed()
            _, unfinished = await asyncio.wait({writing}, timeout=self._limits.flush_s)
            if unfinished:
                request.abort()
        finally:
            connection.close("transport_closed", at_once=True)
            reading.cancel()
            writing.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)
        reason = connection.closed_because or "transport_closed"
        await request.close_websocket(_CLOSE_CODES.get(reason, _POLICY), reason)

    # Connections

    def _open(self, request: _Request, *, upgrades: list[str]) -> Connection:
        if request.query("EIO") != "4":
            raise BadRequestError(*_WRONG_VERSION)
        if self.is_draining or len(self._connections) >= MAX_CONNECTIONS:
            raise BadRequestError(*_BAD_REQUEST, status=503)
        connection = Connection(request.peer, self._limits)
        self._connections[connection.sid] = connection
        self._on_connection(connection)
        forget_later = connection.on_closed

        def on_closed(reason: str) -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._limits.flush_s, self._connections.pop, connection.sid, None)
            if forget_later is not None:
                forget_later(reason)

        connection.on_closed = on_closed
        connection.greet(upgrades=upgrades)
        return connection

    def _find(self, sid: str) -> Connection:
        connection = self._connections.get(sid)
        if connection is None or (connection.closed_because and connection.is_drained):
            raise BadRequestError(*_UNKNOWN_SESSION)
        return connection


async def _read(connection: Connection, request: _Request) -> None:
    """Take frames until the other side is gone, or says what it must not."""
    try:
        while connection.closed_because is None:
            await connection.receive(await request.text())
    except OSError:
        connection.close("transport_closed", at_once=True)


async def _write(connection: Connection, request: _Request) -> None:
    """Hand over packets, as fast as the other side reads, until closed and empty."""
    try:
        while (packet := await connection.next_packet()) is not None:
            await request.send_text(packet)
    except OSError:
        connection.close("transport_closed", at_once=True)


async def _first(wanted: Awaitable[None], otherwise: Awaitable[None]) -> bool:
    """Whether `wanted` came before `otherwise`."""
    tasks = [asyncio.ensure_future(wanted), asyncio.ensure_future(otherwise)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0] in done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Request:
    """One HTTP request or websocket, as far as Engine.IO needs it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = _headers(scope)
        self._query: dict[str, list[str]] = {}
        self._is_accepted = False
        self.method = str(scope.get("method", "GET"))
        self.origin = self._headers.get("origin")

    @property
    def peer(self) -> Peer:
        """Who is on the other side; behind a proxy, nobody can be taken for this machine."""
        if was_forwarded(self._headers):
            return Peer(address=None, host=None)
        client = self._scope.get("client")
        return Peer(address=client[0] if client else None, host=self._headers.get("host"))

    def read_query(self) -> None:
        """Take the query apart. Raises `BadRequestError` when it holds too much."""
        text = self._scope.get("query_string", b"").decode("latin-1")
        try:
            self._query = parse_qs(text, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError:
            raise BadRequestError(*_BAD_REQUEST) from None

    def query(self, name: str) -> str | None:
        """A query parameter that is given once."""
        values = self._query.get(name, [])
        return values[0] if len(values) == 1 else None

    async def body(self, limit: int) -> str:
        """The whole body. Raises `BadRequestError` (413) as soon as it exceeds `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BadRequestError(*_BAD_REQUEST)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise BadRequestError(*_BAD_REQUEST, status=413)
            if not message.get("more_body"):
                break
        try:
            return b"".join(parts).decode()
        except UnicodeDecodeError:
            raise BadRequestError(*_BAD_REQUEST) from None

    async def gone(self) -> None:
        """Return when the client has hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(self, status: int, text: str) -> None:
        """Answer with plain text."""
        await self._respond(status, text.encode(), b"text/plain; charset=UTF-8")

    async def refuse(self, status: int, body: bytes) -> None:
        """Answer with the protocol's JSON error; an open websocket is closed."""
        if self._is_accepted:
            await self.close_websocket(_POLICY, "bad_request")
        else:
            await self._respond(status, body, b"application/json")

    async def _respond(self, status: int, body: bytes, content_type: bytes) -> None:
        kind = "websocket.http.response" if self._scope["type"] == "websocket" else "http.response"
        headers = [
            (b"content-type", content_type),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *self._cors_headers(status),
        ]
        await self._send({"type": f"{kind}.start", "status": status, "headers": headers})
        await self._send({"type": f"{kind}.body", "body": body})

    def _cors_headers(self, status: int) -> list[tuple[bytes, bytes]]:
        if self.origin is None or status == 403:
            return [(b"vary", b"Origin")]
        return [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", self.origin.encode("latin-1")),
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", b"content-type"),
        ]

    # Websockets

    async def accept(self) -> None:
        """Open the websocket. Raises `BadRequestError` when the client is gone already."""
        if (await self._receive())["type"] != "websocket.connect":
            raise BadRequestError(*_BAD_REQUEST)
        await self._send({"type": "websocket.accept"})
        self._is_accepted = True

    async def text(self) -> str:
        """The next frame. Raises `ConnectionError` when there is none, or it is binary."""
        message = await self._receive()
        text = message.get("text") if message["type"] == "websocket.receive" else None
        if text is None:
            raise ConnectionError("the websocket was closed, or spoke binary")
        return str(text)

    async def send_text(self, text: str) -> None:
        """Send a frame, waiting while the other side does not read. Raises `OSError` if gone."""
        await self._send({"type": "websocket.send", "text": text})

    async def close_websocket(self, code: int, reason: str) -> None:
        """Close the websocket, if it still is open."""
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):
            _log.debug("websocket_was_closed", reason=reason)

    def abort(self) -> None:
        """Cut a websocket whose other side does not read."""
        extensions: Mapping[str, Any] = self._scope.get("extensions") or {}
        cut = extensions.get(ABORT)
        if cut is not None:
            cut()


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; one that is repeated is joined, and so matches nothing exact."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope.get("headers", ()):
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
