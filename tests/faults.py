"""A TCP proxy that spoils connections on purpose."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(eq=False)
class _Pipe:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    drops_replies: bool = False

    def cut(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


@dataclass
class FaultProxy:
    """Passes bytes between clients and a server until told otherwise.

    `lose_reply_of(text)`: the next request that contains `text` reaches the server, and its
    connection is cut instead of bringing back the reply. `lost` counts such cuts.
    """

    upstream_port: int
    port: int = 0
    lost: int = 0
    cuts: int = 0
    _losing: dict[bytes, int] = field(default_factory=dict)
    _pipes: set[_Pipe] = field(default_factory=set)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)
    _silent: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_reply_of(self, text: bytes, times: int = 1) -> None:
        self._losing[text] = self._losing.get(text, 0) + times

    def cut_all(self) -> None:
        """Cut every connection at once."""
        for pipe in list(self._pipes):
            pipe.cut()

    def cut_one(self, chance: random.Random) -> bool:
        """Cut a connection at random; False when there is none. `cuts` counts these."""
        if not self._pipes:
            return False
        chance.choice(list(self._pipes)).cut()
        self.cuts += 1
        return True

    def swallow_everything(self) -> None:
        """From now on accept bytes and pass none on, in either direction."""
        self._silent.set()

    def pass_again(self) -> None:
        """End `swallow_everything`; what was swallowed stays lost."""
        self._silent.clear()
        self.cut_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        except OSError:
            writer.transport.abort()
            return
        pipe = _Pipe(writer, up_writer)
        self._pipes.add(pipe)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, pipe))
                group.create_task(self._replies(up_reader, pipe))
        finally:
            self._pipes.discard(pipe)
            pipe.cut()

    async def _requests(self, reader: asyncio.StreamReader, pipe: _Pipe) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self._silent.is_set():
                    continue
                for text, times in list(self._losing.items()):
                    if times and text in data:
                        self._losing[text] -= 1
                        pipe.drops_replies = True
                pipe.server.write(data)
        pipe.cut()

    async def _replies(self, reader: asyncio.StreamReader, pipe: _Pipe) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self._silent.is_set():
                    continue
                if pipe.drops_replies:
                    self.lost += 1
                    break
                pipe.client.write(data)
        pipe.cut()


@asynccontextmanager
async def fault_proxy(upstream_port: int) -> AsyncIterator[FaultProxy]:
    """A proxy in front of a server on loopback, for the time of a test."""
    proxy = FaultProxy(upstream_port)
    server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut_all()
        await server.wait_closed()
        await asyncio.gather(*proxy._serving, return_exceptions=True)
