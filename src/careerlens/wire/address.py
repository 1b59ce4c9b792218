"""Finds the server that a link is to talk to, anew at each connection, and logs in there.

One server is where its URL says. The primary behind sentinels is asked for, and must say itself
that it is one. A cluster is entered by any node. Sentinels and nodes take turns, so that one
which is away, or knows less than the others, holds nobody up for long.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import hiredis

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.redisurl import Place, RedisUrl, Topology, place_text
from careerlens.wire.connection import Connection, encode
from careerlens.wire.errors import CommandRejectedError

CANNOT_CONNECT = (OSError, TimeoutError, ServiceUnavailableError, CommandRejectedError)
"""What `Address.open` raises."""

Maker: TypeAlias = Callable[[], Connection]

_SERVICE = "redis"
_TURN_S = 1.0
_KEEPALIVE_IDLE_S = 15
_KEEPALIVE_INTERVAL_S = 5
_KEEPALIVE_PROBES = 3
_WRONG_LOGIN = ("WRONGPASS", "NOAUTH", "ERR AUTH", "ERR invalid")


class Address(ABC):
    """Where connections are to lead."""

    @abstractmethod
    async def open(self, make: Maker) -> Connection:
        """A connection, made by `make`, on which the server is ready for commands.

        Raises `OSError`, `TimeoutError`, `ServiceUnavailableError` or `CommandRejectedError`;
        a connection that came half-way is closed then.
        """


def address_of(url: str) -> Address:
    """The address that a URL gives.

    Raises `ConfigurationError` for a URL that cannot be used.
    """
    parsed = RedisUrl.parse(url)
    login = Login.of(parsed)
    if parsed.topology is Topology.SENTINEL:
        return Primary(parsed, login)
    if parsed.topology is Topology.CLUSTER:
        return AnyNode(parsed.places, login)
    return Server(parsed.path if parsed.path is not None else parsed.places[0], login)


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """How to enter a server, wherever it is."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: RedisUrl) -> Login:
        """What `url` says of it. Raises `ConfigurationError` for unusable certificates."""
        tls = url.tls.context() if url.tls is not None else None
        return cls(username=url.username, password=url.password, database=url.database, tls=tls)

    async def enter(self, place: Place | str, make: Maker) -> Connection:
        """Connect to a host and port, or to a socket's path. As `Address.open`."""
        connection = await self._connect(place, make)
        try:
            await self._greet(connection)
        except BaseException:
            connection.abort("the server was not ready for us")
            raise
        return connection

    async def _connect(self, place: Place | str, make: Maker) -> Connection:
        loop = asyncio.get_running_loop()
        if isinstance(place, str):
            _, connection = await loop.create_unix_connection(make, place)
            return connection
        transport, connection = await loop.create_connection(make, *place, ssl=self.tls)
        _keep_alive(transport.get_extra_info("socket"))
        return connection

    async def _greet(self, connection: Connection) -> None:
        commands: list[tuple[str, ...]] = []
        if self.password is not None:
            account = (self.username, self.password) if self.username else (self.password,)
            commands.append(("AUTH", *account))
        if self.database:
            commands.append(("SELECT", str(self.database)))
        # Refused as well while no login was given that is asked for, or data is being loaded.
        commands.append(("PING",))
        replies = await replies_to(connection, *commands)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, hiredis.ReplyError):
                _refuse(command[0], str(reply))


class Server(Address):
    """One server, at a host and port or at a socket's path."""

    def __init__(self, place: Place | str, login: Login) -> None:
        self._place = place
        self._login = login

    async def open(self, make: Maker) -> Connection:
        """As `Address.open`."""
        return await self._login.enter(self._place, make)

    def __str__(self) -> str:
        return self._place if isinstance(self._place, str) else place_text(self._place)


class AnyNode(Address):
    """Any node of a cluster that answers. `learn` more of them as they become known."""

    def __init__(self, places: Iterable[Place], login: Login) -> None:
        self._places = _Turns(places)
        self._login = login

    def learn(self, places: Iterable[Place]) -> None:
        """Try these as well from now on."""
        self._places.add(places)

    async def open(self, make: Maker) -> Connection:
        """As `Address.open`."""

        async def enter(node: Place) -> Connection:
            return await self._login.enter(node, make)

        return await self._places.first(enter)

    def __str__(self) -> str:
        return f"cluster {self._places}"


class Primary(Address):
    """The server that sentinels call the primary of a name."""

    def __init__(self, url: RedisUrl, login: Login) -> None:
        self._name = url.primary
        self._sentinels = _Turns(url.places)
        self._login = login
        self._sentinel_login = Login(
            username=url.sentinel_username, password=url.sentinel_password, tls=login.tls
        )

    async def open(self, make: Maker) -> Connection:
        """As `Address.open`. What each sentinel names is tried, until one is the primary."""
        failed: dict[Place, Exception] = {}

        async def enter(sentinel: Place) -> Connection:
            place = await self._ask(sentinel)
            if place in failed:
                raise failed[place]
            try:
                return await self._enter(place, make)
            except CANNOT_CONNECT as error:
                failed[place] = error
                raise

        return await self._sentinels.first(enter)

    async def _ask(self, sentinel: Place) -> Place:
        connection = await self._sentinel_login.enter(sentinel, Connection)
        try:
            command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)
            (reply,) = await replies_to(connection, command)
        finally:
            connection.abort("it was asked")
        if isinstance(reply, hiredis.ReplyError):
            raise CommandRejectedError(str(reply))
        if reply is None:
            raise ServiceUnavailableError(_SERVICE, f"it knows no primary called {self._name!r}")
        return reply[0].decode(), int(reply[1])

    async def _enter(self, place: Place, make: Maker) -> Connection:
        connection = await self._login.enter(place, make)
        try:
            (reply,) = await replies_to(connection, ("ROLE",))
            # One without the right to ask is taken at the sentinels' word.
            if isinstance(reply, list) and reply[0] != b"master":
                raise ServiceUnavailableError(_SERVICE, f"{place_text(place)} is a replica")
        except BaseException:
            connection.abort("it is not the primary")
            raise
        return connection

    def __str__(self) -> str:
        return f"primary {self._name!r} of sentinels {self._sentinels}"


class _Turns:
    """Places that are tried one after the other, each time from the next one on."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = deque(dict.fromkeys(places))

    def add(self, places: Iterable[Place]) -> None:
        self._places.extend(place for place in places if place not in self._places)

    async def first(self, attempt: Callable[[Place], Awaitable[Connection]]) -> Connection:
        """What the first attempt that succeeds returns; raises what the last one raised."""
        last: Exception | None = None
        for place in list(self._places):
            self._places.rotate(-1)
            try:
                async with asyncio.timeout(_TURN_S):
                    return await attempt(place)
            except CANNOT_CONNECT as error:
                problem = f"{place_text(place)}: {problem_of(error)}"
                last = ServiceUnavailableError(_SERVICE, problem)
        assert last is not None, "a URL names at least one place"
        raise last

    def __str__(self) -> str:
        return ", ".join(map(place_text, self._places))


async def replies_to(connection: Connection, *commands: tuple[str, ...]) -> list[Any]:
    """The replies, errors among them, on a connection that nobody else uses yet.

    Raises `ServiceUnavailableError` where the server has hung up.
    """
    if not connection.is_open:
        raise ServiceUnavailableError(_SERVICE, "it hung up at once")
    return await asyncio.gather(*connection.send_all([encode(command) for command in commands]))


def problem_of(error: Exception) -> str:
    """Why no connection came about, in words."""
    if isinstance(error, ServiceUnavailableError):
        return error.problem
    return str(error) or "no answer in time"


def _refuse(command: str, reply: str) -> None:
    if reply.startswith(_WRONG_LOGIN):
        raise ServiceUnavailableError(
            _SERVICE,
            f"it refused our login ({reply}); check user name and password in REDIS_URL",
        )
    if command == "PING" and reply.startswith("NOPERM"):
        return  # a user of few rights, who is in
    raise CommandRejectedError(reply)


def _keep_alive(connection: socket.socket | None) -> None:
    """Let the kernel notice a dead peer; the options differ between systems."""
    if connection is None:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", _KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", _KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
