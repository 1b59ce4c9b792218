"""One request to the Engine.IO endpoint: what it asks, and the ways to answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import orjson

from careerlens.auth import was_forwarded
from careerlens.realtime.addresses import counted_as
from careerlens.realtime.connection import Peer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UNKNOWN_TRANSPORT = (0, "Transport unknown")
UNKNOWN_SESSION = (1, "Session ID unknown")
BAD_METHOD = (2, "Bad handshake method")
BAD_REQUEST = (3, "Bad request")
TOO_MANY = (3, "Too many connections from this address")
FORBIDDEN = (4, "Forbidden")
WRONG_VERSION = (5, "Unsupported protocol version")

_MAX_QUERY_FIELDS = 20


class BadRequestError(Exception):
    """The request is no Engine.IO of ours; `code` is the protocol's number for why."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = orjson.dumps({"code": code, "message": message})

    def as_http(self, head: Head | None) -> bytes:
        """The answer to who asked for a websocket, as bytes."""
        fields = {"connection": "close"}
        if head is not None:
            fields |= head.answer_headers(self.status, len(self.body), "application/json")
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        status = HTTPStatus(self.status)
        start = f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n"
        return start.encode("latin-1") + self.body


class Head:
    """What a request asks for, and who asks, over HTTP or for a websocket."""

    __slots__ = ("_address", "_query", "_text", "headers", "method", "origin", "path")

    def __init__(
        self, method: str, path: str, query: str, headers: dict[str, str], address: str | None
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.origin = headers.get("origin")
        self._address = address
        self._text = query
        self._query: dict[str, list[str]] = {}

    @classmethod
    def of_scope(cls, scope: Scope) -> Head:
        """As an ASGI server tells it."""
        client = scope.get("client")
        return cls(
            str(scope["method"]),
            scope["path"],
            scope.get("query_string", b"").decode("latin-1"),
            _joined(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in scope["headers"]
            ),
            client[0] if client else None,
        )

    @classmethod
    def of_http(cls, data: bytes, *, address: str | None) -> Head:
        """As its bytes tell it, which a parser of HTTP has found to be whole."""
        first, *lines = data.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        fields = (line.partition(": ") for line in lines if line)
        headers = _joined((name, value) for name, _, value in fields)
        return cls(method, path, query, headers, address)

    @property
    def peer(self) -> Peer:
        """Who is on the other side; behind a proxy, nobody can be taken for this machine."""
        counts = counted_as(self._address, self.headers.get("x-forwarded-for"))
        if was_forwarded(self.headers):
            return Peer(address=None, host=None, counted_as=counts)
        return Peer(address=self._address, host=self.headers.get("host"), counted_as=counts)

    def read_query(self) -> None:
        """Take the query apart. Raises `BadRequestError` when it holds too much."""
        try:
            self._query = parse_qs(self._text, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError:
            raise BadRequestError(*BAD_REQUEST) from None

    def query(self, name: str) -> str | None:
        """A query parameter that is given once."""
        values = self._query.get(name, [])
        return values[0] if len(values) == 1 else None

    def answer_headers(self, status: int, size: int, content_type: str) -> dict[str, str]:
        """The headers of an answer, those that let a listed page read it included."""
        headers = {
            "content-type": content_type,
            "content-length": str(size),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "vary": "Origin",
        }
        if self.origin is not None and status != HTTPStatus.FORBIDDEN:
            headers |= {
                "access-control-allow-origin": self.origin,
                "access-control-allow-methods": "GET, POST",
                "access-control-allow-headers": "content-type",
            }
        return headers


class Request:
    """One HTTP request, as far as long-polling needs it."""

    def __init__(self, head: Head, receive: Receive, send: Send) -> None:
        self.head = head
        self._receive = receive
        self._send = send

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

    async def answer(self, status: int, body: bytes) -> None:
        """Answer with plain text."""
        await self._respond(status, body, "text/plain; charset=UTF-8")

    async def refuse(self, error: BadRequestError) -> None:
        """Answer with the protocol's JSON error."""
        await self._respond(error.status, error.body, "application/json")

    async def _respond(self, status: int, body: bytes, content_type: str) -> None:
        named = self.head.answer_headers(status, len(body), content_type)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; one that is repeated is joined, and so matches nothing exact."""
    headers: dict[str, str] = {}
    for raw_name, value in fields:
        name = raw_name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
