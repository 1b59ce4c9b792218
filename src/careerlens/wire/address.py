"""Finds the server that a link is to talk to, anew at each connection, and logs in there.

One server is where its URL says; of several equal ones, any that answers will do. What is found
through those is the matter of `sentinel` and `cluster`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import hiredis

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.redisurl import Place, RedisUrl, place_text
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

    async def follow(self, connection: Connection) -> None:
        """Cut a connection that `open` gave, once the address leads to another server.

        Runs until cancelled. A server of its own has nowhere to go.
        """
        await connection.lost.wait()


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


class AnyOf(Address):
    """Any of several servers that know the same. The one that answered last is tried first."""

    def __init__(self, places: Iterable[Place], login: Login) -> None:
        self._places = deque(dict.fromkeys(places))
        self._login = login

    @property
    def first(self) -> Place:
        """The one that answered last."""
        return self._places[0]

    def learn(self, places: Iterable[Place]) -> None:
        """Try these as well from now on."""
        self._places.extend(place for place in places if place not in self._places)

    def prefer_another(self) -> None:
        """Try the one that answered last after the others."""
        self._places.rotate(-1)

    async def open(self, make: Maker) -> Connection:
        """As `Address.open`; each is given a second."""
        last: Exception | None = None
        for place in list(self._places):
            try:
                async with asyncio.timeout(_TURN_S):
                    connection = await self._login.enter(place, make)
            except CANNOT_CONNECT as error:
                problem = f"{place_text(place)}: {problem_of(error)}"
                last = ServiceUnavailableError(_SERVICE, problem)
            else:
                self._places.remove(place)
                self._places.appendleft(place)
                return connection
        assert last is not None, "a URL names at least one place"
        raise last

    def __str__(self) -> str:
        return ", ".join(map(place_text, self._places))


async def replies_to(connection: Connection, *commands: tuple[str, ...]) -> list[Any]:
    """The replies, errors among them, on a connection of the caller's own.

    Raises `ServiceUnavailableError` where the server has hung up.
    """
    if not connection.is_open:
        raise ServiceUnavailableError(_SERVICE, "it hung up")
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
