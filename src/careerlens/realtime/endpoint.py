"""Engine.IO: long-polling over ASGI and websockets, and what neither may do.

Origins are compared with a list, exactly; a request without Origin comes from no web page, and
proves itself by its token like any other. Cookies are never read. Bodies and frames are bounded
before they are read, compression is off, binary is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from careerlens.realtime.addresses import AddressCount
from careerlens.realtime.connection import (
    NOOP,
    PING,
    PONG,
    PROBE,
    UPGRADE,
    Connection,
    Heart,
    Limits,
)
from careerlens.realtime.frames import text_frame
from careerlens.realtime.offences import OFFENCES
from careerlens.realtime.request import (
    BAD_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    TOO_MANY,
    UNKNOWN_SESSION,
    UNKNOWN_TRANSPORT,
    WRONG_VERSION,
    BadRequestError,
    Head,
    Receive,
    Request,
    Scope,
    Send,
)
from careerlens.realtime.timing import Deadlines
from careerlens.realtime.websocket import POLICY, Websocket

MAX_CONNECTIONS = 20_000
_SEPARATOR = "\x1e"
_MAX_PACKETS_PER_POST = 64
# Python's client refuses a body with more; browsers take any number.
_MAX_PACKETS_PER_POLL = 16
_PROBE_ANSWER = text_frame(PONG + PROBE)


class Endpoint:
    """What lies below `/socket.io/`. `on_connection` gives each connection its listener."""

    def __init__(
        self,
        *,
        origins: Collection[str],
        on_connection: Callable[[Connection], None],
        limits: Limits,
        max_per_address: int = 0,
    ) -> None:
        self._origins = frozenset(origins) - {"*", "null"}
        self._on_connection = on_connection
        self._limits = limits
        self._addresses = AddressCount(max_per_address)
        self._connections: dict[str, Connection] = {}
        self._trials: dict[str, Trial] = {}
        self._heart = Heart(limits)
        self._forgetting = Deadlines[str](limits.flush_s, self._forget)
        self.is_draining = False

    @property
    def connections(self) -> Collection[Connection]:
        """The connections that are open, or still hand over their last packets."""
        return self._connections.values()

    def closed(self, connection: Connection) -> None:
        """Call once when a connection is closed, so that it is forgotten as soon as it can be."""
        self._addresses.give_back(connection.peer.counted_as)
        if connection.is_websocket:
            self._forget(connection.sid)
        else:
            self._forgetting.add(connection.sid)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(Head.of_scope(scope), receive, send)
        try:
            self._check(request.head)
            await self._polling(request)
        except BadRequestError as error:
            await request.refuse(error)

    def _check(self, head: Head) -> None:
        # The origin first: answers to a page that is listed may be read by it, errors as well.
        if head.origin is not None and head.origin not in self._origins:
            raise BadRequestError(*FORBIDDEN, status=403)
        head.read_query()

    # Long-polling

    async def _polling(self, request: Request) -> None:
        if request.head.method == "OPTIONS":
            await request.answer(204, b"")
            return
        if request.head.query("transport") != "polling" or request.head.query("j") is not None:
            raise BadRequestError(*UNKNOWN_TRANSPORT)
        sid = request.head.query("sid")
        if sid is None:
            if request.head.method != "GET":
                raise BadRequestError(*BAD_METHOD)
            connection = self._open(request.head, upgrades=["websocket"])
            await request.answer(200, _joined(connection.next_packets(_MAX_PACKETS_PER_POLL)))
            return
        connection = self._find(sid)
        if connection.is_websocket:
            raise BadRequestError(*BAD_REQUEST)
        if request.head.method == "GET":
            await self._poll(connection, request)
        elif request.head.method == "POST":
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
                packets = []
            else:
                packets = connection.next_packets(_MAX_PACKETS_PER_POLL)
            await request.answer(200, _joined(packets) or NOOP.encode())
        finally:
            connection.is_polled = False

    async def _take_post(self, connection: Connection, request: Request) -> None:
        if connection.is_posted_to:
            # No client of the protocol does; somebody would have us keep very many bodies at once.
            connection.close("protocol_error", at_once=True)
            raise BadRequestError(*BAD_REQUEST)
        connection.is_posted_to = True
        try:
            await self._take_packets(connection, await self._body(request))
        finally:
            connection.is_posted_to = False
        # Who was refused, or has to go for another reason, is told so by the poll: an error here
        # would be heard first, and clients would take it for a lost connection.
        if connection.closed_because in OFFENCES:
            raise BadRequestError(*BAD_REQUEST)
        await request.answer(200, b"ok")

    async def _body(self, request: Request) -> str:
        try:
            async with asyncio.timeout(self._limits.body_s):
                return await request.body(self._limits.max_payload_bytes)
        except TimeoutError:
            raise BadRequestError(*BAD_REQUEST, status=408) from None

    async def _take_packets(self, connection: Connection, body: str) -> None:
        packets = body.split(_SEPARATOR, _MAX_PACKETS_PER_POST)
        if len(packets) > _MAX_PACKETS_PER_POST:
            connection.close("protocol_error", at_once=True)
        for packet in packets:
            connection.on_text(packet)
            if connection.listener is not None:
                await connection.listener.caught_up()

    # Websockets

    def open_websocket(self, head: Head, socket: Websocket) -> None:
        """Begin a connection on a websocket, or try to move one there.

        Raises `BadRequestError` for what is neither.
        """
        self._check(head)
        if head.query("transport") != "websocket":
            raise BadRequestError(*UNKNOWN_TRANSPORT)
        sid = head.query("sid")
        if sid is None:
            socket.check(head)
            connection = self._open(head, upgrades=[])
            socket.accept(head, connection)
            connection.carry_by(socket)
            return
        connection = self._find(sid)
        if connection.is_websocket or sid in self._trials:
            raise BadRequestError(*BAD_REQUEST)
        socket.check(head)
        trial = self._trials[sid] = Trial(self, connection, socket)
        socket.accept(head, trial)

    def tried(self, trial: Trial) -> None:
        """Call when a trial is over."""
        self._trials.pop(trial.connection.sid, None)

    # Connections

    def _open(self, head: Head, *, upgrades: list[str]) -> Connection:
        if head.query("EIO") != "4":
            raise BadRequestError(*WRONG_VERSION)
        if self.is_draining or len(self._connections) >= MAX_CONNECTIONS:
            raise BadRequestError(*BAD_REQUEST, status=503)
        peer = head.peer
        if not self._addresses.take(peer.counted_as):
            raise BadRequestError(*TOO_MANY, status=429)
        connection = Connection(peer, self._limits, self._heart)
        self._connections[connection.sid] = connection
        self._on_connection(connection)
        connection.greet(upgrades=upgrades)
        return connection

    def _forget(self, sid: str) -> None:
        self._connections.pop(sid, None)

    def _find(self, sid: str) -> Connection:
        connection = self._connections.get(sid)
        if connection is None or (connection.closed_because and connection.is_drained):
            raise BadRequestError(*UNKNOWN_SESSION)
        return connection


class Trial:
    """A websocket on trial: the client probes it, empties its last poll, then changes over."""

    def __init__(self, endpoint: Endpoint, connection: Connection, socket: Websocket) -> None:
        self.connection = connection
        self._endpoint = endpoint
        self._socket = socket
        self._has_probed = False
        self._timer = asyncio.get_running_loop().call_later(
            connection.limits.upgrade_s, self._give_up
        )

    def on_text(self, text: str) -> None:
        """Only the steps of an upgrade, in order."""
        connection = self.connection
        if not self._has_probed and text == PING + PROBE:
            self._has_probed = True
            self._socket.write(_PROBE_ANSWER)
            connection.end_polls()
        elif self._has_probed and text == UPGRADE and connection.closed_because is None:
            self._end()
            self._socket.hand_over(connection)
            connection.carry_by(self._socket)
        else:
            self._give_up()

    def on_room(self) -> None:
        """Nothing waits to be written."""

    def on_lost(self, reason: str) -> None:
        """Polling goes on."""
        self._end()

    def may_speak(self, size: int) -> bool:
        """As anything else that the client says."""
        if self.connection.may_speak(size):
            return True
        self._give_up()
        return False

    def _give_up(self) -> None:
        self._end()
        self._socket.close(POLICY, "upgrade_failed")

    def _end(self) -> None:
        self._timer.cancel()
        self.connection.is_upgrading = False
        self._endpoint.tried(self)


def _joined(packets: list[bytes]) -> bytes:
    return _SEPARATOR.encode().join(packets)


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
