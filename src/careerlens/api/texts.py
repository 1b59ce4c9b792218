"""What a job writes, over HTTP: the read side of the Durable Streams protocol.

    GET …/stream                       all the text so far; `offset` leaves out what one has
    GET …/stream?offset=…&live=long-poll   waits for more where there is none
    GET …/stream?offset=…&live=sse     goes on until the job ends
    HEAD …/stream                      where the text ends

The protocol: https://github.com/durable-streams/durable-streams (PROTOCOL.md). Every text is
its owner's alone, so that no answer may be kept by a cache on the way.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse

from careerlens.api.deadlines import in_time
from careerlens.api.problems import ProblemError
from careerlens.api.services import CallerDep, Services, ServicesDep, StreamPlaceDep
from careerlens.api.streaming import until_over
from careerlens.auth import Caller
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.realtime.texts import (
    BEGINNING,
    MalformedOffsetError,
    Offset,
    TextGoneError,
    TextPage,
)

_TYPE = {"Content-Type": "text/plain"}  # as the protocol's clients compare it; it is UTF-8
_SSE_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store, no-cache",
    "X-Accel-Buffering": "no",
}
_PING = b": ping\n\n"
_CURSOR_EPOCH_S = 1_728_432_000  # 9 October 2024, as the protocol has it
_CURSOR_INTERVAL_S = 20
_CURSOR_JITTER_S = 3600
_MAX_CURSOR_DIGITS = 15
_LIVE = ("long-poll", "sse")

_log = get_logger("careerlens.api")
router = APIRouter(prefix="/api", tags=["jobs"])


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the query asks for; `after` is None for the text's present end."""

    after: Offset | None
    live: str | None
    cursor: int

    @classmethod
    def of(cls, query: QueryParams) -> Self:
        """Raises `ProblemError` for what the protocol does not allow."""
        offset, live = _single(query, "offset"), _single(query, "live")
        if live is not None and live not in _LIVE:
            raise _wrong("`live` is `long-poll` or `sse`.")
        if live is not None and offset is None:
            raise _wrong("`live` needs an `offset`: -1 for the beginning, now for the end.")
        cursor = query.get("cursor", "")
        is_cursor = cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_CURSOR_DIGITS
        return cls(
            after=None if offset == "now" else _offset(offset),
            live=live,
            cursor=int(cursor) if is_cursor else -1,
        )

    def next_cursor(self) -> str:
        """Never the one that the caller has: a cache would give them the same answer for ever."""
        now = int(time.time() - _CURSOR_EPOCH_S) // _CURSOR_INTERVAL_S
        if self.cursor < now:
            return str(now)
        steps = random.randint(1, _CURSOR_JITTER_S) // _CURSOR_INTERVAL_S  # noqa: S311 (jitter)
        return str(self.cursor + max(1, steps))


@router.get(
    "/jobs/{job_id:path}/stream",
    operation_id="readJobText",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "text/event-stream": {"schema": {"type": "string"}},
            }
        },
        204: {"description": "Nothing more yet (long-poll)"},
        304: {"description": "As the If-None-Match of the caller says"},
    },
)
async def read_job_text(
    job_id: str,
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    place: StreamPlaceDep,
    offset: Annotated[str | None, Query(description="-1, now, or a Stream-Next-Offset")] = None,
    live: Annotated[str | None, Query(description="long-poll or sse")] = None,
    cursor: Annotated[str | None, Query(description="the last Stream-Cursor")] = None,
) -> Response:
    """What a job writes: the text so far, and as it grows. The read side of Durable Streams."""
    wish = _Wish.of(request.query_params)
    if wish.live is None:
        page = await in_time(_first_page(services, caller, job_id, wish))
        return _caught_up(page, wish, request.headers.get("if-none-match"))
    # The place in the feed first: an end that comes after it is heard of.
    position = await in_time(services.feed.position(caller.user_id))
    page = await in_time(_first_page(services, caller, job_id, wish))
    following = services.texts.follow(caller.user_id, job_id, page, position)
    pages = until_over(following, place)
    if wish.live == "sse":
        return StreamingResponse(_events(page, pages, wish), headers=_SSE_HEADERS)
    async with aclosing(pages):
        if not page.text and not page.is_closed:
            async for news in pages:
                page = news or page
                break
    headers = {"Stream-Cursor": wish.next_cursor(), **_headers(page)}
    if not page.text:
        return Response(status_code=204, headers=headers)
    return Response(page.text, headers=_TYPE | headers)


@router.head("/jobs/{job_id:path}/stream", include_in_schema=False)
async def find_end_of_job_text(job_id: str, caller: CallerDep, services: ServicesDep) -> Response:
    """Where the text ends, and whether it will stay there."""
    page = await in_time(services.texts.end(caller.user_id, job_id))
    return Response(headers=_TYPE | _headers(page))


async def _first_page(services: Services, caller: Caller, job_id: str, wish: _Wish) -> TextPage:
    if wish.after is None:
        return await services.texts.end(caller.user_id, job_id)
    return await services.texts.read(caller.user_id, job_id, wish.after)


def _caught_up(page: TextPage, wish: _Wish, known_tag: str | None) -> Response:
    headers = _headers(page)
    if wish.after is not None:
        tag = f'"{page.start}:{page.end}{":closed" if page.is_closed else ""}"'
        headers["ETag"] = tag
        known = (known_tag or "").split(",")
        if tag in {each.strip().removeprefix("W/") for each in known}:
            return Response(status_code=304, headers=headers)
    return Response(page.text, headers=_TYPE | headers)


async def _events(
    first: TextPage, pages: AsyncGenerator[TextPage | None, None], wish: _Wish
) -> AsyncGenerator[bytes, None]:
    async with aclosing(pages):
        yield _event(first, wish)
        try:
            async for page in pages:
                yield _PING if page is None else _event(page, wish)
        except TextGoneError:
            pass  # the client comes back with its offset, and is told
        except ServiceUnavailableError as error:
            _log.warning("text_stream_cut", reason=type(error).__name__)


def _event(page: TextPage, wish: _Wish) -> bytes:
    control: dict[str, Any] = {"streamNextOffset": str(page.end), "upToDate": True}
    if page.is_closed:
        control["streamClosed"] = True
    else:
        control["streamCursor"] = wish.next_cursor()
    data = ""
    if page.text:
        # One space after the colon is not the text's.
        lines = [f"data: {each}" if each[:1] == " " else f"data:{each}" for each in _lines(page)]
        data = "event: data\n" + "\n".join(lines) + "\n\n"
    return f"{data}event: control\ndata:{json.dumps(control)}\n\n".encode()


def _lines(page: TextPage) -> list[str]:
    return page.text.split("\n")  # a job's text has no other line ends


def _headers(page: TextPage) -> dict[str, str]:
    headers = {"Stream-Next-Offset": str(page.end), "Stream-Up-To-Date": "true"}
    if page.is_closed:
        headers["Stream-Closed"] = "true"
    return headers


def _single(query: QueryParams, name: str) -> str | None:
    values = query.getlist(name)
    if len(values) > 1:
        raise _wrong(f"`{name}` may be given once.")
    return values[0] if values else None


def _offset(text: str | None) -> Offset:
    if text is None or text == "-1":
        return BEGINNING
    try:
        return Offset.parse(text)
    except MalformedOffsetError:
        raise _wrong("`offset` is -1, now, or what an answer gave as Stream-Next-Offset.") from None


def _wrong(detail: str) -> ProblemError:
    return ProblemError("malformed-request", detail)
