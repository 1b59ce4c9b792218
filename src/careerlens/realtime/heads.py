"""HTTP requests whose heads have an end, in bytes and in time, and answers that are read.

uvicorn's fast parser bounds neither: a client could send headers for ever, which are kept in
memory, or hold a connection open without asking for anything, or without reading what it asked
for. Bodies are the application's business; what comes after an answer was given counts as the next
head.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from careerlens.realtime.answering import AT_ONCE, answer_at_once
from careerlens.realtime.gathering import GatheringTransport

MAX_HEAD_BYTES = 32 * 1024
HEAD_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 30.0
"""How long a client may read nothing of an answer while there is more to send."""


class BoundedHttp(HttpToolsProtocol):
    """A connection that is closed when a head is too large, or takes too long to come."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = False
        self._began_just_now = False
        self._head_bytes = 0
        self._is_websocket = False
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the client a while to ask for something."""
        super().connection_made(GatheringTransport(transport, self.loop))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        self._has_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads too slowly; give it a while."""
        super().pause_writing()
        self._stall = self.loop.call_later(STALL_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        self._has_read()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it makes a head too large."""
        self._began_just_now = False
        super().data_received(data)
        if self._is_websocket or self.transport.is_closing():
            return
        if self._in_head and not self._began_just_now:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = self._began_just_now = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole. Raises `ValueError`, which the parser's caller answers."""
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value)
            hosts += name == b"host"
        if size > MAX_HEAD_BYTES:
            self._head_bytes = size
            raise ValueError("the head is too large")
        if hosts > 1:
            raise ValueError("whoever stands before us may have read the other Host")
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            self.scope["extensions"] = {AT_ONCE: {"give": partial(answer_at_once, self.cycle)}}

    def handle_websocket_upgrade(self) -> None:
        """From now on the websocket's own limits count."""
        self._is_websocket = True
        assert isinstance(self.transport, GatheringTransport)
        self.transport.flush()
        self.transport = self.transport.unwrapped
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or was not wanted so large."""
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _has_read(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        if self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        answer = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-length: 0\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(answer.encode())
        self.transport.close()
