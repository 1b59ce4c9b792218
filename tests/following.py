"""Clients that come back after every break and go on where they were, as the browser package does.

Each speaks Socket.IO over a websocket and nothing else, so that hundreds fit into one process.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import aiohttp
import orjson

from careerlens.realtime.entries import START, parse_position
from support import eventually
from tokens import token

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_UPDATE = '42["job:update",'
_RESYNC = '42["resync",'


class Follower:
    """One client of a user. `entries` are all that it was ever told, none left out or sorted.

    After a break it stays away for a moment, or for as many seconds as `away` says of it.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        user: str,
        ports: Sequence[int],
        chance: random.Random,
        away: Callable[[Follower], float],
        last: str = START,
    ) -> None:
        self.user = user
        self.last = last
        self.entries: list[dict[str, Any]] = []
        self.heard_at: list[float] = []
        """When each of them came, by `time.monotonic`."""
        self.resyncs: list[dict[str, Any]] = []
        self.connects = 0
        self.absences_s: list[float] = []
        """How long it was away, each time that it came back."""
        self.is_connected = False
        self._away = away
        self._left_at: float | None = None
        self._http = http
        self._ports = ports
        self._chance = chance
        self._token = token(user)

    async def follow(self) -> None:
        """Follow until cancelled, through any gateway."""
        pause = _FIRST_PAUSE_S
        while True:
            before = self.connects
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                await self._stay_connected(self._chance.choice(self._ports))
            self.is_connected = False
            was_in = self.connects > before
            if was_in:
                self._left_at = time.monotonic()
            pause = _FIRST_PAUSE_S if was_in else min(pause * 2, _LONGEST_PAUSE_S)
            away_s = self._away(self) if was_in else 0.0
            await asyncio.sleep(max(away_s, pause * self._chance.uniform(0.5, 1.5)))

    async def _stay_connected(self, port: int) -> None:
        url = f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
        auth = json.dumps({"token": self._token, "lastEventId": self.last})
        async with asyncio.timeout(10):
            socket = await self._http.ws_connect(url)
        try:
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    break
                packet: str = frame.data
                if packet.startswith(_UPDATE):
                    self._note(orjson.loads(packet[len(_UPDATE) : -1]))
                elif packet == "2":
                    await socket.send_str("3")
                elif packet.startswith("0"):
                    await socket.send_str(f"40{auth}")
                elif packet.startswith("40"):
                    self.connects += 1
                    self.is_connected = True
                    if self._left_at is not None:
                        self.absences_s.append(time.monotonic() - self._left_at)
                elif packet.startswith(_RESYNC):
                    resync = orjson.loads(packet[len(_RESYNC) : -1])
                    self.resyncs.append(resync)
                    self.last = resync["id"]
        finally:
            await socket.close()

    def _note(self, update: dict[str, Any]) -> None:
        self.entries.append(update)
        self.heard_at.append(time.monotonic())
        self.last = update["id"]

    def misordered(self) -> int:
        """How many entries came that stand before, or at, the one told last."""
        places = [parse_position(update["id"]) for update in self.entries]
        return sum(later <= sooner for sooner, later in pairwise(places))


@asynccontextmanager
async def following(
    users: Iterable[str],
    ports: Sequence[int],
    chance: random.Random,
    *,
    away: Callable[[Follower], float] = lambda _: 0.0,
    last: str = START,
) -> AsyncIterator[list[Follower]]:
    """A client for each of these users (who may be named more than once), connecting now.

    Each goes on after `last`.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        followers = [Follower(http, user, ports, chance, away, last) for user in users]
        tasks = [asyncio.create_task(follower.follow()) for follower in followers]
        try:
            yield followers
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if not isinstance(end, asyncio.CancelledError):
                raise AssertionError("a client has given up") from end


async def all_connected(followers: Sequence[Follower], *, within: float = 30) -> None:
    """Return when each has been let in."""
    await eventually(lambda: all(one.is_connected for one in followers), within=within)
