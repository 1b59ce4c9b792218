"""Whole answers, given in one step.

By ASGI an answer's head and its body are two messages, and of the head every name and value is
looked at by itself. That takes longer than an ordinary answer takes to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

AT_ONCE = "careerlens.answer_at_once"
"""The extension of a scope by which the whole answer may be given: its `give`."""

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


def answer_at_once(cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> bool:
    """Give the whole answer to a request, if nothing about it is out of the ordinary.

    `headers` tell the length of the body. False, and nothing is sent, when the client is gone,
    reads too slowly, or asked for the connection to be closed, when part of an answer was given
    already, or when a header holds what no header may: then the way of ASGI has the words for it.
    """
    if (
        cycle.response_started
        or cycle.disconnected
        or not cycle.keep_alive
        or cycle.flow.write_paused
    ):
        return False
    lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
    head = b"".join(lines)
    if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head:
        return False
    cycle.waiting_for_100_continue = False
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], head, body))
    cycle.message_event.set()
    cycle.on_response()
    return True
