"""Hears what is published on one channel, across reconnections.

Pub/sub forgets what was published while nobody listened, so nothing may depend on a message
alone: it only makes something happen sooner.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Never

import hiredis

from careerlens.wire.address import CANNOT_CONNECT, Address, replies_to
from careerlens.wire.connection import Connection

_PING_EVERY_S = 5.0
_PAUSE_S = 0.5


class Channel:
    """One subscription. `on_message` is called on the loop with each message's text.

    `listening` is set while messages are heard; tests and callers may wait for it.
    `on_listening` is called each time it begins.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        on_message: Callable[[str], None],
        *,
        on_listening: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.listening = asyncio.Event()
        self._address = address
        self._on_message = on_message
        self._on_listening = on_listening

    async def listen(self) -> Never:
        """Listen until cancelled, reconnecting whenever the connection is lost."""
        while True:
            try:
                await self._listen_once()
            except (*CANNOT_CONNECT, hiredis.ReplyError):
                self.listening.clear()
                await asyncio.sleep(random.uniform(_PAUSE_S / 2, _PAUSE_S))  # noqa: S311 (jitter)

    async def _listen_once(self) -> Never:
        async with asyncio.timeout(_PING_EVERY_S):
            connection = await self._address.open(lambda: Connection(on_push=self._pushed))
        try:
            await self._answered(connection, ("SUBSCRIBE", self.name))
            self.listening.set()
            if self._on_listening is not None:
                self._on_listening()
            while True:
                await asyncio.sleep(_PING_EVERY_S)
                await self._answered(connection, ("PING",))
        finally:
            self.listening.clear()
            connection.abort("no longer listening")

    async def _answered(self, connection: Connection, command: tuple[str, ...]) -> None:
        async with asyncio.timeout(_PING_EVERY_S):
            (reply,) = await replies_to(connection, command)
        if isinstance(reply, hiredis.ReplyError):
            raise reply

    def _pushed(self, message: list[Any]) -> None:
        self._on_message(message[-1].decode(errors="replace"))
