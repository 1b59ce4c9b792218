"""Engine.IO over ASGI: long-polling and websockets, and what neither may do.

Origins are compared with a list, exactly; a request without Origin comes from no web page, and
proves itself by its token like any other. Cookies are never read. Bodies and frames are bounded
before they are read, compression is off, binary is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from careerlens.realtime.connection import (
    NOOP,
    PING,
    PONG,
    PROBE,
    UPGRADE,
    Connection,
    Limits,
)
from careerlens.realtime.request import (
    BAD_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    POLICY,
    UNKNOWN_SESSION,
    UNKNOWN_TRANSPORT,
    WRONG_VERSION,
    BadRequestError,
    Receive,
    Request,
    Scope,
    Send,
)

MAX_CONNECTIONS = 20_000
_SEPARATOR = "\x1e"
_MAX_PACKETS_PER_POST = 64
# Python's client refuses a body with more; browsers take any number.
_MAX_PACKETS_PER_POLL = 16
_CLOSE_CODES = {"draining": 1012, "internal_error": 1011, "token_expired": 4401}
_ORDINARY = frozenset({"client_closed", "client_left", "transport_closed"})


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
        request = Request(scope, receive, send)
        try:
            request.read_query()
            if request.origin is not None and request.origin not in self._origins:
                raise BadRequestError(*FORBIDDEN, status=403)
            if scope["type"] == "websocket":
                await self._websocket(request)
            else:
                await self._polling(request)
        except BadRequestError as error:
            await request.refuse(error.status, error.body)

    # Long-polling

    async def _polling(self, request: Request) -> None:
        if request.method == "OPTIONS":
            await request.answer(204, "")
            return
        if request.query("transport") != "polling" or request.query("j") is not None:
            raise BadRequestError(*UNKNOWN_TRANSPORT)
        sid = request.query("sid")
        if sid is None:
            if request.method != "GET":
                raise BadRequestError(*BAD_METHOD)
            connection = self._open(request, upgrades=["websocket"])
            await request.answer(
                200, _SEPARATOR.join(connection.next_packets(_MAX_PACKETS_PER_POLL))
            )
            return
        connection = self._find(sid)
        if connection.is_websocket:
            raise BadRequestError(*BAD_REQUEST)
        if request.method == "GET":
            await self._poll(connection, request)
        elif request.method == "POST":
            await self._take_post(connection, request)
        else:
            raise BadRequestError(*BAD_METHOD)

    async def _poll(self, connection: Connection, request: Request) -> None:
        if connection.is_polled:
            # Two at once would share the packets between them, out of order.
            connection.close("protocol_error", at_once=True)
            raise BadRequestError(*BAD_REQUEST)
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

    async def _take_post(self, connection: Connection, request: Request) -> None:
        try:
            async with asyncio.timeout(self._limits.body_s):
                body = await request.body(self._limits.max_payload_bytes)
        except TimeoutError:
            raise BadRequestError(*BAD_REQUEST, status=408) from None
        packets = body.split(_SEPARATOR, _MAX_PACKETS_PER_POST)
        if len(packets) > _MAX_PACKETS_PER_POST:
            connection.close("protocol_error", at_once=True)
        for packet in packets:
            await connection.receive(packet)
        if connection.closed_because not in {None, *_ORDINARY}:
            raise BadRequestError(*BAD_REQUEST)
        await request.answer(200, "ok")

    # Websockets

    async def _websocket(self, request: Request) -> None:
        if request.query("transport") != "websocket":
            raise BadRequestError(*UNKNOWN_TRANSPORT)
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
            raise BadRequestError(*BAD_REQUEST)
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
            await request.close_websocket(POLICY, "upgrade_failed")

    async def _upgrade(self, connection: Connection, request: Request) -> bool:
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

    async def _carry(self, connection: Connection, request: Request) -> None:
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
        await request.close_websocket(_CLOSE_CODES.get(reason, POLICY), reason)

    # Connections

    def _open(self, request: Request, *, upgrades: list[str]) -> Connection:
        if request.query("EIO") != "4":
            raise BadRequestError(*WRONG_VERSION)
        if self.is_draining or len(self._connections) >= MAX_CONNECTIONS:
            raise BadRequestError(*BAD_REQUEST, status=503)
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
            raise BadRequestError(*UNKNOWN_SESSION)
        return connection


async def _read(connection: Connection, request: Request) -> None:
    """Take frames until the other side is gone, or says what it must not."""
    try:
        while connection.closed_because is None:
            await connection.receive(await request.text())
    except OSError:
        connection.close("transport_closed", at_once=True)


async def _write(connection: Connection, request: Request) -> None:
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
