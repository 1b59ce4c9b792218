"""The gateway as a process of its own, to be killed and frozen."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from support import free_port
from tokens import SECRET

INHERITED = ("PATH", "HOME", "PYTHONPATH")


class GatewayProcess:
    """`careerlens socket` on a port of its own."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._environment = {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "CAREERLENS_ENV": "production",
            "CAREERLENS_HOME": str(folder),
            "JWT_SECRET": SECRET.decode(),
            "REDIS_URL": redis_url,
            "SOCKET_HOST": "127.0.0.1",
            "SOCKET_PORT": str(self.port),
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The process, killed at the end unless it has ended before."""
        process = self.start()
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=10)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process, which the caller ends."""
        with (self._folder / "socket.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "careerlens", "socket"],
                cwd=self._folder, env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip

    def log(self) -> str:
        """What the process, and those before it, have printed."""
        return (self._folder / "socket.log").read_text(errors="replace")

    async def answers(self) -> bool:
        """Whether it serves."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            try:
                return (await http.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False
