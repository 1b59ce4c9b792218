"""The product as its users run it: each part a process of its own, to be killed at will."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import httpx

from careerlens.foundation.ports import LOOPBACK
from support import eventually, free_port
from tokens import SECRET

START_WITHIN_S = 40.0


class Product:
    """API, workers and gateway on one Redis, in `folder`, on free loopback ports.

    Parts are named `api`, `socket`, `worker`, `worker-2`…; what they print is in `{part}.log`.
    """

    def __init__(self, folder: Path, redis_url: str, **environment: str) -> None:
        self.folder = folder
        self.api_port = free_port()
        self.socket_port = free_port()
        self.url = f"http://localhost:{self.api_port}"
        self.socket_url = f"http://localhost:{self.socket_port}"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}
        }
        self.environment = inherited | {
            "REDIS_URL": redis_url,
            "CAREERLENS_HOME": str(folder / "home"),
            "API_PORT": str(self.api_port),
            "SOCKET_PORT": str(self.socket_port),
            **environment,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *parts: str) -> None:
        """Start these parts; does not wait for them (see `ready`)."""
        for part in parts:
            with (self.folder / f"{part}.log").open("ab") as log:
                self._processes[part] = subprocess.Popen(
                    [sys.executable, "-m", "careerlens", part.partition("-")[0]],
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

    @asynccontextmanager
    async def running(self, *parts: str) -> AsyncIterator[Self]:
        """Inside the block these parts are started and ready; all are ended after it."""
        try:
            self.start(*parts)
            await self.ready(*parts)
            yield self
        finally:
            self.stop()

    def pid(self, part: str) -> int:
        """The process id of a started part."""
        return self._processes[part].pid

    def kill(self, part: str) -> None:
        """End a part at once (SIGKILL), as a crash would."""
        process = self._processes.pop(part)
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(timeout=10)

    def freeze(self, part: str) -> None:
        """Stop a part from running (SIGSTOP) without closing any of its connections."""
        self._processes[part].send_signal(signal.SIGSTOP)

    def thaw(self, part: str) -> None:
        """Let a frozen part go on."""
        self._processes[part].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End every part: kindly first (SIGTERM), then at once."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        self._processes.clear()

    def log(self, part: str) -> str:
        """What a part has printed so far."""
        return (self.folder / f"{part}.log").read_text(errors="replace")

    async def ready(self, *parts: str) -> None:
        """Wait until `api` and `socket`, where named, answer that they are ready.

        The other parts serve nothing that could be asked.
        """
        ports = {"api": self.api_port, "socket": self.socket_port}
        async with httpx.AsyncClient(timeout=2) as client:
            for part in ports.keys() & set(parts):

                async def answers(part: str = part) -> bool:
                    process = self._processes[part]
                    assert process.poll() is None, f"{part} ended early:\n{self.log(part)}"
                    url = f"http://127.0.0.1:{ports[part]}/health/ready"
                    try:
                        response = await client.get(url)
                    except httpx.TransportError:
                        return False
                    return response.status_code == 200

                await eventually(answers, within=START_WITHIN_S)

    def client(self, user: str) -> httpx.AsyncClient:
        """An HTTP client that calls the API as `user`, by the development header."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"x-user-id": user}, timeout=10, trust_env=False
        )


@contextmanager
def in_production(folder: Path, redis_url: str) -> Iterator[Product]:
    """API and gateway as they run in production, on loopback, where development would trust."""
    product = Product(
        folder,
        redis_url,
        CAREERLENS_ENV="production",
        JWT_SECRET=SECRET.decode(),
        API_HOST=LOOPBACK,
        SOCKET_HOST=LOOPBACK,
    )
    try:
        product.start("api", "socket")
        asyncio.run(product.ready("api", "socket"))
        yield product
    finally:
        product.stop()
