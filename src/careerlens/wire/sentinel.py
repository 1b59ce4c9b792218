"""Follows the primary that sentinels watch, wherever they move it.

    sentinel ◀─ where is the primary? ─┐        a connection is only good at a server that says
    sentinel ── +switch-master ──────▶ link ──▶ itself that it is the primary; it is cut as soon
    sentinel                                    as a sentinel tells of another

A primary that was replaced may live on for seconds, and takes writes that are lost with it: that
is why the sentinels are listened to, and not only asked when a connection ends.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import hiredis

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.redisurl import Place, RedisUrl, place_text
from careerlens.wire.address import CANNOT_CONNECT, Address, AnyOf, Login, Maker, replies_to
from careerlens.wire.channel import Channel
from careerlens.wire.connection import Connection
from careerlens.wire.errors import CommandRejectedError

_SERVICE = "redis"
_SWITCHES = "+switch-master"


class Primary(Address):
    """The server that sentinels call the primary of a name. Serves one link."""

    def __init__(self, url: RedisUrl, login: Login) -> None:
        self._name = url.primary
        self._login = login
        self._sentinels = AnyOf(
            url.places,
            Login(username=url.sentinel_username, password=url.sentinel_password, tls=login.tls),
        )
        self._place: Place | None = None

    async def open(self, make: Maker) -> Connection:
        """As `Address.open`."""
        place = await self._ask()
        try:
            connection = await self._enter(place, make)
        except CANNOT_CONNECT:
            # Another sentinel may know of a failover already.
            self._sentinels.prefer_another()
            raise
        self._place = place
        return connection

    async def follow(self, connection: Connection) -> None:
        """As `Address.follow`."""
        look = asyncio.Event()

        def heard(switch: str) -> None:
            name, _, _, *place = switch.split(" ")
            if name == self._name and place != [*map(str, self._place or ())]:
                connection.abort("the sentinels have promoted another server")

        # Whoever begins to listen may have missed a switch.
        channel = Channel(self._sentinels, _SWITCHES, heard, on_listening=look.set)
        listening = asyncio.create_task(channel.listen(), name=f"switches of {self._name}")
        try:
            while connection.is_open:
                await look.wait()
                look.clear()
                with suppress(*CANNOT_CONNECT):
                    if await self._ask() != self._place:
                        connection.abort("the sentinels name another server")
        finally:
            listening.cancel()

    async def _ask(self) -> Place:
        connection = await self._sentinels.open(Connection)
        try:
            command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)
            (reply,) = await replies_to(connection, command)
        finally:
            connection.abort("it was asked")
        if isinstance(reply, hiredis.ReplyError):
            raise CommandRejectedError(str(reply))
        if reply is None:
            self._sentinels.prefer_another()
            problem = f"the sentinel knows no primary called {self._name!r}; see REDIS_URL"
            raise ServiceUnavailableError(_SERVICE, problem)
        return reply[0].decode(), int(reply[1])

    async def _enter(self, place: Place, make: Maker) -> Connection:
        connection = await self._login.enter(place, make)
        try:
            (reply,) = await replies_to(connection, ("ROLE",))
            # Where we have no right to ask, the sentinels are believed.
            if isinstance(reply, list) and reply[0] != b"master":
                problem = f"{place_text(place)} is a replica, though a sentinel calls it primary"
                raise ServiceUnavailableError(_SERVICE, problem)
        except BaseException:
            connection.abort("it is not the primary")
            raise
        return connection

    def __str__(self) -> str:
        return f"primary {self._name!r} of the sentinels {self._sentinels}"
