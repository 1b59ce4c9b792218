"""One request to the Engine.IO endpoint, over ASGI: what it asks, and the ways to answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from careerlens.auth import was_forwarded
from careerlens.foundation.logging import get_logger
from careerlens.realtime.connection import Peer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ABORT = "careerlens.abort"
"""ASGI extension of our server: a function that cuts the connection without waiting."""

UNKNOWN_TRANSPORT = (0, "Transport unknown")
UNKNOWN_SESSION = (1, "Session ID unknown")
BAD_METHOD = (2, "Bad handshake method")
BAD_REQUEST = (3, "Bad request")
FORBIDDEN = (4, "Forbidden")
WRONG_VERSION = (5, "Unsupported protocol version")

POLICY = 1008
"""The code that closes a websocket for what its other side said."""

_MAX_QUERY_FIELDS = 20
_log = get_logger("careerlens.realtime.request")


class BadRequestError(Exception):
    """The request is no Engine.IO of ours; `code` is the protocol's number for why."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = orjson.dumps({"code": code, "message": message})


class Request:
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
            raise BadRequestError(*BAD_REQUEST) from None

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
                raise BadRequestError(*BAD_REQUEST)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise BadRequestError(*BAD_REQUEST, status=413)
            if not message.get("more_body"):
                break
        try:
            return b"".join(parts).decode()
        except UnicodeDecodeError:
            raise BadRequestError(*BAD_REQUEST) from None

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
            await self.close_websocket(POLICY, "bad_request")
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
            raise BadRequestError(*BAD_REQUEST)
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
