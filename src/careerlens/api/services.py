"""What the routes work with, made once per process, and who is calling them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.datastructures import Address

from careerlens.api.idempotency import IdempotencyRecords
from careerlens.api.streaming import Place, StreamPlaces
from careerlens.api.tickets import Tickets
from careerlens.archive import ArchiveStore
from careerlens.auth import (
    Authenticator,
    Caller,
    RevocationWatch,
    bearer_token,
    was_forwarded,
)
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.settings import Settings
from careerlens.jobs.definitions import Registry
from careerlens.jobs.manager import JobManager
from careerlens.jobs.model import JobStatusResponse
from careerlens.jobs.uploads import UploadStore
from careerlens.realtime.feed import Feed
from careerlens.realtime.texts import Texts
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link

LINK_TIMEOUT_S = 1.5
"""How long a request waits for a Redis that is away before it answers 503."""
_UPLOAD_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that a route may need."""

    settings: Settings
    registry: Registry
    authenticator: Authenticator
    link: Link
    manager: JobManager
    uploads: UploadStore
    idempotency: IdempotencyRecords
    archive: ArchiveStore
    feed: Feed
    texts: Texts
    streams: StreamPlaces
    tickets: Tickets


@asynccontextmanager
async def open_services(
    settings: Settings,
    redis_url: str,
    registry: Registry,
    authenticator: Authenticator,
    archive: ArchiveStore,
) -> AsyncIterator[Services]:
    """The services of one process. None of them needs Redis to be there yet."""
    async with AsyncExitStack() as closing:
        link = open_link(redis_url, name="careerlens:api", timeout_s=LINK_TIMEOUT_S)
        closing.push_async_callback(link.close)
        # Files would hold up what is behind them on a shared connection.
        upload_link = open_link(redis_url, name="careerlens:uploads", timeout_s=_UPLOAD_TIMEOUT_S)
        closing.push_async_callback(upload_link.close)
        with suppress(ServiceUnavailableError):  # it goes on trying
            await link.connect()
        await closing.enter_async_context(RevocationWatch(link, authenticator.revoked))
        feed = await closing.enter_async_context(Feed(redis_url))

        async def find_past_job(job_id: str, user_id: str) -> JobStatusResponse | None:
            archived = await archive.get(job_id, owner=user_id)
            return archived.to_response() if archived is not None else None

        manager = JobManager(
            link, registry, prefix=settings.queue_prefix, find_past_job=find_past_job
        )
        texts = await closing.enter_async_context(Texts(redis_url, feed, manager))
        yield Services(
            settings=settings,
            registry=registry,
            authenticator=authenticator,
            link=link,
            manager=manager,
            uploads=UploadStore(upload_link),
            idempotency=IdempotencyRecords(link),
            archive=archive,
            feed=feed,
            texts=texts,
            streams=StreamPlaces(authenticator.revoked),
            tickets=Tickets(link, authenticator),
        )


async def services_of(request: Request) -> Services:
    """The services of the application that handles this request."""
    # A plain function would cost a thread at each request: FastAPI runs those in its pool.
    services: Services = request.app.state.services
    return services


async def current_caller(
    request: Request, services: Annotated[Services, Depends(services_of)]
) -> Caller:
    """Who is calling. Raises `AuthenticationError` when nothing proves it."""
    return await caller_by(request.headers, request.client, services)


async def caller_by(
    headers: Mapping[str, str], client: Address | None, services: Services
) -> Caller:
    """Who sent these headers from that address. Raises as `current_caller` does."""
    is_direct = not was_forwarded(headers)
    return await services.authenticator.authenticate(
        bearer_token(headers.get("authorization")),
        headers.get("x-user-id"),
        peer=client.host if client is not None and is_direct else None,
        host=headers.get("host"),
    )


ServicesDep = Annotated[Services, Depends(services_of)]
CallerDep = Annotated[Caller, Depends(current_caller)]


async def listening_caller(
    request: Request,
    services: ServicesDep,
    ticket: Annotated[
        str | None,
        Query(max_length=100, description="A one-time ticket of `POST /api/tickets`"),
    ] = None,
) -> Caller:
    """Who is calling for a stream of events. A ticket, where there is one, decides alone."""
    if ticket is not None:
        return await services.tickets.redeem(ticket)
    return await current_caller(request, services)


async def stream_place(caller: CallerDep, services: ServicesDep) -> AsyncIterator[Place]:
    """The caller's place among the open streams, until the answer is given to its end."""
    with services.streams.taken_by(caller) as place:
        yield place


async def listening_place(
    caller: Annotated[Caller, Depends(listening_caller)], services: ServicesDep
) -> AsyncIterator[Place]:
    """As `stream_place`, for a caller who may have come by a ticket."""
    with services.streams.taken_by(caller) as place:
        yield place


StreamPlaceDep = Annotated[Place, Depends(stream_place)]
ListeningPlaceDep = Annotated[Place, Depends(listening_place)]
