"""Real gateways on free ports, and clients of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import socketio

from careerlens.auth.authenticator import Authenticator
from careerlens.auth.revocations import RevocationWatch
from careerlens.foundation.settings import Settings, load_settings
from careerlens.jobs.definitions import Registry
from careerlens.jobs.manager import JobManager
from careerlens.realtime.connection import Limits
from careerlens.realtime.fanout import Fanout
from careerlens.realtime.feed import Feed
from careerlens.realtime.gateway import Gateway
from careerlens.realtime.measures import Measures
from careerlens.realtime.offences import Offences
from careerlens.realtime.server import listen, make_server, serve_until_cancelled
from careerlens.realtime.session import Services
from careerlens.wire.link import Link
from support import eventually
from tokens import SECRET, token

PAGE = "https://app.example.com"


def gateway_settings(**changes: Any) -> Settings:
    """Production settings that trust `tokens.SECRET` and the page `PAGE`."""
    values: dict[str, Any] = {
        "environment": "production",
        "jwt_secret": SECRET.decode(),
        "cors_origins": (PAGE,),
        "redis_host": "unused",
    }
    return load_settings(**values | changes)


class RunningGateway:
    """A gateway behind a real server on a free port of this machine."""

    def __init__(self, gateway: Gateway, feed: Feed, port: int) -> None:
        self.gateway = gateway
        self.feed = feed
        self.port = port
        self.url = f"http://127.0.0.1:{port}"


@asynccontextmanager
async def running_gateway(
    redis_url: str, *, port: int = 0, limits: Limits | None = None, **settings: Any
) -> AsyncIterator[RunningGateway]:
    """A gateway without a relay, stopped as its process would stop it."""
    configured = gateway_settings(**settings)
    limits = limits or Limits()
    async with AsyncExitStack() as closing:
        link = Link(redis_url)
        closing.push_async_callback(link.close)
        feed = await closing.enter_async_context(Feed(redis_url))
        authenticator = Authenticator.from_settings(configured)
        await closing.enter_async_context(RevocationWatch(link, authenticator.revoked))
        services = Services(
            authenticator=authenticator,
            manager=JobManager(link, Registry()),
            feed=feed,
            fanout=Fanout(feed),
            offences=Offences(),
        )
        origins = configured.allowed_origins()
        gateway = Gateway(
            services,
            origins=origins,
            link=link,
            limits=limits,
            max_per_address=configured.socket_max_per_address,
            measures=Measures(configured, link, Registry()),
        )
        listener = listen("127.0.0.1", port)
        closing.callback(listener.close)
        server = make_server(gateway)
        serving = asyncio.create_task(
            serve_until_cancelled(server, listener, before_stop=gateway.drain)
        )
        await eventually(lambda: server.started)
        try:
            yield RunningGateway(gateway, feed, listener.getsockname()[1])
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


class Client:
    """A Socket.IO client that notes all it hears, in order."""

    def __init__(self, **options: Any) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.refusals: list[Any] = []
        self.reasons: list[str] = []
        self.socket = socketio.AsyncClient(reconnection=False, **options)
        self.socket.on("*", self._hear)
        self.socket.on("connect_error", self.refusals.append)
        self.socket.on("disconnect", self.reasons.append)

    async def _hear(self, name: str, payload: Any) -> None:
        self.heard.append((name, payload))

    async def connect(
        self, gateway: RunningGateway, auth: Any, *, transports: tuple[str, ...] = ("websocket",)
    ) -> None:
        """Connect and introduce oneself. Raises `socketio.exceptions.ConnectionError`."""
        await self.socket.connect(
            gateway.url, auth=auth, transports=list(transports), wait_timeout=10
        )

    def all(self, name: str) -> list[Any]:
        """The payloads of every event of this name so far."""
        return [payload for heard, payload in self.heard if heard == name]

    @property
    def updates(self) -> list[dict[str, Any]]:
        """Every entry of the feed so far."""
        return self.all("job:update")

    async def hears(self, name: str, count: int = 1, *, within: float = 10) -> list[Any]:
        """The payloads of an event, once there are `count`."""
        return (
            await eventually(
                lambda: found if len(found := self.all(name)) >= count else None, within=within
            )
            or []
        )

    async def is_gone(self, *, within: float = 10) -> str:
        """Why the connection ended, once it has."""
        return (await eventually(lambda: self.reasons, within=within))[0]

    async def call(self, name: str, argument: Any) -> Any:
        """Send an event and return what acknowledges it."""
        return await self.socket.call(name, argument, timeout=10)


@asynccontextmanager
async def connected(gateway: RunningGateway, user: str, **auth: Any) -> AsyncIterator[Client]:
    """A client of `user`, let in."""
    client = Client()
    transports = auth.pop("transports", ("websocket",))
    await client.connect(gateway, {"token": token(user), **auth}, transports=transports)
    try:
        yield client
    finally:
        await client.socket.disconnect()
