"""The routes of live updates: streams of events, and the tickets that open them without a header.

Socket.IO, the other way to the same feed, is served by the gateway.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import StreamingResponse

from careerlens.api.deadlines import in_time
from careerlens.api.services import CallerDep, ListeningPlaceDep, ServicesDep
from careerlens.api.streaming import Place, until_over
from careerlens.api.tickets import TICKET_MS
from careerlens.foundation.errors import JobNotFoundError, ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.jobs.model import WireModel
from careerlens.realtime.sse import HEADERS, event_stream, feed_stream
from careerlens.wire.errors import CommandRejectedError

_STREAM: dict[str, Any] = {
    "response_class": StreamingResponse,
    "responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
}
_FAREWELLS = {
    "token_expired": "Your session has expired. Sign in again.",
    "token_revoked": "You were signed out. Sign in again.",
    "draining": "This server is about to stop. Come back, and resume.",
}

_log = get_logger("careerlens.api")
router = APIRouter(prefix="/api", tags=["live updates"])


async def last_event_id(
    in_header: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="The last `id:` that was read: go on after it"),
    ] = None,
    in_query: Annotated[
        str | None,
        Query(alias="lastEventId", description="As `Last-Event-ID`, for who can send no headers"),
    ] = None,
) -> str | None:
    """Where the caller wants to go on; the header counts, where there are both."""
    return in_header if in_header is not None else in_query


LastEventId = Annotated[str | None, Depends(last_event_id)]


class Ticket(WireModel):
    """Opens one stream of events as `?ticket=`, once, within `expires_in_ms`."""

    ticket: str
    expires_in_ms: int


@router.post("/tickets", operation_id="createTicket", status_code=201, response_model=Ticket)
async def create_ticket(caller: CallerDep, services: ServicesDep) -> Ticket:
    """A one-time ticket for a stream of events, for browsers' `EventSource`."""
    ticket = await in_time(services.tickets.issue(caller))
    return Ticket(ticket=ticket, expires_in_ms=TICKET_MS)


@router.get("/jobs/events", operation_id="streamEvents", **_STREAM)
async def stream_events(
    services: ServicesDep, place: ListeningPlaceDep, last: LastEventId
) -> StreamingResponse:
    """What happens to all jobs of the caller, as it happens, from now on or from the last id."""
    events = await in_time(feed_stream(services.feed, place.caller.user_id, last))
    return _streamed(events, place)


@router.get("/jobs/{job_id:path}/events", operation_id="streamJobEvents", **_STREAM)
async def stream_job_events(
    job_id: str, services: ServicesDep, place: ListeningPlaceDep, last: LastEventId
) -> StreamingResponse:
    """What happens to a job, as it happens: its status first, then each update until its end."""
    beginning = event_stream(services.feed, services.manager, place.caller.user_id, job_id, last)
    return _streamed(await in_time(beginning), place)


def _streamed(events: AsyncGenerator[bytes, None], place: Place) -> StreamingResponse:
    return StreamingResponse(_to_the_end(until_over(events, place), place), headers=HEADERS)


async def _to_the_end(
    events: AsyncGenerator[bytes, None], place: Place
) -> AsyncGenerator[bytes, None]:
    """The stream, which simply ends where it cannot go on: clients resume from their last id.

    Where it had to end, it says why.
    """
    async with aclosing(events):
        try:
            async for event in events:
                yield event
        except (ServiceUnavailableError, CommandRejectedError, JobNotFoundError) as error:
            _log.warning("event_stream_cut", reason=type(error).__name__)
    if place.code is not None:
        data = json.dumps({"code": place.code, "message": _FAREWELLS[place.code]})
        yield f"event: closed\ndata: {data}\n\n".encode()
