"""What surrounds every request: an id, safe headers, the rules about web origins, one log line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from careerlens.api.problems import ProblemError, problem_response
from careerlens.foundation.chance import random_name
from careerlens.foundation.logging import LogContext, get_logger
from careerlens.realtime.answering import AT_ONCE

_REQUEST_ID_NAME = b"x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_SAFE_NAMES = frozenset(name for name, _ in _SAFE_HEADERS)
_ROUTINE = ("/health/", "/assets/", "/metrics")
_CORS_METHODS = "GET, HEAD, POST"
_CORS_HEADERS = (
    "Authorization, Content-Type, X-User-Id, Idempotency-Key, Last-Event-ID, X-Request-Id, "
    "If-None-Match"
)
_CORS_EXPOSED = (
    "ETag, Location, Retry-After, X-Request-Id, "
    "Stream-Next-Offset, Stream-Up-To-Date, Stream-Closed, Stream-Cursor"
)
_CORS_SECONDS = "600"

_log = get_logger("careerlens.api")
RawHeaders: TypeAlias = Collection[tuple[bytes, bytes]]


class RequestFrame:
    """Gives each request an id, each answer safe headers, and the log one line about both.

    An exception that nobody else has answered ends here: as a 500 that carries the id and
    nothing else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(_header(scope, _REQUEST_ID_NAME))
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0
        at_once = scope.get("extensions", {}).get(AT_ONCE)
        head: Message | None = None

        async def send_framed(message: Message) -> None:
            nonlocal status, head
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_safe_headers(message.get("headers", ()), request_id)
                if at_once is not None and _may_be_whole(scope, message):
                    head = message
                    return
            elif head is not None:
                whole, head = head, None
                body = message.get("body", b"")
                is_whole = b"%d" % len(body) == _length_in(whole) and not message.get("more_body")
                if is_whole and at_once["give"](status, whole["headers"], body):
                    return
                await send(whole)
            await send(message)

        with LogContext(request_id=request_id):
            try:
                await self._app(scope, receive, send_framed)
            except Exception:
                _log.exception("request_failed", method=scope["method"], path=_path(scope))
                if status != 0 and head is None:
                    raise
                head = None
                problem = ProblemError("internal-error")
                response = problem_response(problem, request_id=request_id)
                await response(scope, receive, send_framed)
            finally:
                _log_request(scope, status, time.perf_counter() - started)


class OriginRules:
    """Answers preflight requests, and refuses web pages that are neither ours nor listed.

    No cookie identifies anybody here, so credentials are never allowed. A wildcard counts for
    nothing: in development, a page that gets in can be anybody.
    """

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed) - {"*", "null"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = _header(scope, b"origin") if scope["type"] == "http" else None
        if origin is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        own = _is_own(origin, headers.get("host", ""))
        if not own and origin not in self._allowed:
            problem = ProblemError("origin-refused")
            refusal = problem_response(problem, request_id=scope["state"].get("request_id"))
            await refusal(scope, receive, _varying(send, None))
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight()(scope, receive, _varying(send, origin))
            return
        await self._app(scope, receive, _varying(send, origin))


def _preflight() -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": _CORS_METHODS,
            "Access-Control-Allow-Headers": _CORS_HEADERS,
            "Access-Control-Max-Age": _CORS_SECONDS,
        },
    )


def _varying(send: Send, allowed_origin: str | None) -> Send:
    async def send_with_origin(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header("Origin")
            if allowed_origin is not None:
                headers["Access-Control-Allow-Origin"] = allowed_origin
                headers["Access-Control-Expose-Headers"] = _CORS_EXPOSED
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        await send(message)

    return send_with_origin


def _is_own(origin: str, host: str) -> bool:
    """Whether the page was served by this very address; TLS may end before us."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and parts.netloc == host


def _request_id(given: str | None) -> str:
    if given is not None and _REQUEST_ID.match(given):
        return given
    return random_name()


def _header(scope: Scope, name: bytes) -> str | None:
    """The first header of this lower-case name."""
    for given, value in scope["headers"]:
        if given == name:
            text: str = value.decode("latin-1")
            return text
    return None


def _may_be_whole(scope: Scope, head: Message) -> bool:
    """Whether all of the answer may come with the next message."""
    return scope["method"] != "HEAD" and _length_in(head) is not None


def _length_in(head: Message) -> bytes | None:
    """What an answer's head says about the length of its body; a stream's says nothing."""
    return next((value for name, value in head["headers"] if name == b"content-length"), None)


def _with_safe_headers(headers: RawHeaders, request_id: str) -> list[tuple[bytes, bytes]]:
    """What an answer says itself, the request's id, and what it does not say about safety."""
    safe: Collection[tuple[bytes, bytes]] = _SAFE_HEADERS
    names = {name.lower() for name, _ in headers}
    if not names.isdisjoint(_SAFE_NAMES):
        safe = [header for header in _SAFE_HEADERS if header[0] not in names]
    return [*headers, (_REQUEST_ID_NAME, request_id.encode()), *safe]


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    is_routine = status < 400 and scope["path"].startswith(_ROUTINE)
    level = logging.DEBUG if is_routine else logging.INFO
    if not _log.is_enabled_for(level):
        return
    _log.log(
        level,
        "request",
        method=scope["method"],
        path=_path(scope),
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )


def _path(scope: Scope) -> str:
    """The path as it was sent, without the query, which may hold what no log should."""
    raw: bytes = scope.get("raw_path", b"")
    return raw.decode("ascii", "replace")
