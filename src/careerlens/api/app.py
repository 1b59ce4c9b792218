"""The HTTP API: how it is put together, and how a process serves it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from careerlens import __version__
from careerlens.api import health, jobs, live, metrics, pages, texts
from careerlens.api.answers import answer_errors
from careerlens.api.middleware import OriginRules, RequestFrame
from careerlens.api.openapi import describe_api
from careerlens.api.services import open_services
from careerlens.api.shortcut import CreationShortcut
from careerlens.archive import ArchiveStore, run_recorder
from careerlens.auth import Authenticator
from careerlens.foundation.logging import get_logger
from careerlens.jobs.definitions import Registry, load_registry
from careerlens.realtime.heads import BoundedHttp
from careerlens.realtime.relay import Relay
from careerlens.realtime.server import Server, listen, serve_until_cancelled

if TYPE_CHECKING:
    from careerlens.foundation.embedded import RedisEndpoint
    from careerlens.foundation.settings import Settings

_GRACE_S = 5
_NEW_OBJECTS_PER_COLLECTION = 20_000
# The interactive page loads its program from there; it exists in development alone.
_DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data: https://fastapi.tiangolo.com; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net; frame-ancestors 'none'"
)

_log = get_logger("careerlens.api")


class _Application(FastAPI):
    """Every request goes through our own layers first, and through FastAPI's only if it must."""

    is_traced = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; FastAPI's question whether it is traced is asked at the start alone."""
        if scope["type"] != "http" or self.is_traced or self.middleware_stack is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Our layers around those of FastAPI, outermost first."""
        settings: Settings = self.state.settings
        stack = super().build_middleware_stack()
        # Their outermost layer would answer our own mistakes in plain text; `RequestFrame` does.
        inner = stack.app if isinstance(stack, ServerErrorMiddleware) else stack
        shortcut = CreationShortcut(inner)
        return RequestFrame(OriginRules(shortcut, allowed=settings.allowed_origins()))


def create_app(
    settings: Settings,
    *,
    redis_url: str,
    registry: Registry,
    archive: ArchiveStore | None = None,
    relay: Relay | None = None,
) -> FastAPI:
    """The application. Redis and the archive may be away while it starts and while it runs.

    `archive` stays the caller's to close; without one, the application opens its own. `relay` is
    the one that runs beside it, if any, for the metrics.

    Raises `ConfigurationError` when no safe way to know callers is set.
    """
    authenticator = Authenticator.from_settings(settings)

    @asynccontextmanager
    async def lifespan(app: _Application) -> AsyncIterator[None]:
        store = archive or ArchiveStore.from_settings(settings)
        thresholds = gc.get_threshold()
        try:
            async with open_services(
                settings, redis_url, registry, authenticator, store
            ) as services:
                app.state.services = services
                # What is loaded by now stays. Looking through it again and again for garbage took
                # a seventh of the time, and held up every request for some 50 ms each time.
                gc.collect()
                gc.freeze()
                # What requests leave behind is hardly ever garbage that needs to be looked for.
                gc.set_threshold(_NEW_OBJECTS_PER_COLLECTION)
                # Where requests are traced, FastAPI's own way begins and ends the traces.
                app.is_traced = app._native_telemetry.enabled()
                yield
        finally:
            gc.set_threshold(*thresholds)
            gc.unfreeze()
            if archive is None:
                await store.close()

    app = _Application(
        title="CareerLens Jobs",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.relay = relay
    app.include_router(jobs.router)
    app.include_router(live.router)
    app.include_router(texts.router)
    app.include_router(pages.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    answer_errors(app)
    describe_api(app, registry)
    if settings.is_development:
        _serve_description(app)
    pages.mount_console(app)
    return app


async def serve(settings: Settings, endpoint: RedisEndpoint) -> None:
    """Serve the API on `API_PORT`, relay events and record history, until cancelled.

    Relay and recorder only work while no other process does. One that fails ends the process,
    aloud, so that it is started afresh.

    Raises `ConfigurationError` when the port cannot be had or no safe way to know callers is set.
    """
    registry = load_registry(settings)
    archive = ArchiveStore.from_settings(settings)
    relay = Relay(endpoint.url, registry, prefix=settings.queue_prefix)
    app = create_app(
        settings, redis_url=endpoint.url, registry=registry, archive=archive, relay=relay
    )
    host = settings.listen_host(settings.api_host)
    listener = listen(host, settings.api_port, variable="API_PORT")
    server = make_server(app)

    async def end_streams() -> None:
        app.state.services.streams.stop()

    try:
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(relay.run(), name="relay"),
                tasks.create_task(
                    run_recorder(settings, endpoint.url, registry, archive), name="recorder"
                ),
            ]
            _log.info("listening", host=host, port=listener.getsockname()[1])
            try:
                await serve_until_cancelled(server, listener, before_stop=end_streams)
            finally:
                for task in beside:
                    task.cancel()
    finally:
        listener.close()
        await archive.close()


def make_server(app: FastAPI) -> Server:
    """The server that the API is shipped with. It serves on uvloop where the process runs that."""
    return Server(
        uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="on",
            http=BoundedHttp,
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def _serve_description(app: FastAPI) -> None:
    """The OpenAPI document and a page to try it on; for developers only."""

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(openapi_url="/openapi.json", title="CareerLens Jobs")
        page.headers["Content-Security-Policy"] = _DOCS_POLICY
        return page
