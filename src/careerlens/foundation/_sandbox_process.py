"""The child process of `run_isolated`, seen from here: started, heard, and ended for certain."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from careerlens.foundation._sandbox_pipe import LENGTH_BYTES

_MAX_STDERR_BYTES = 64 * 1024
_LAST_WORDS_S = 0.5
_BOOT = (
    "import sys,json;sys.path[:]=json.loads(sys.argv[1]);"
    "from careerlens.foundation._sandbox_child import main;main()"
)


class Child(asyncio.SubprocessProtocol):
    """One child process: what it said, and whether it is still there."""

    def __init__(self, max_reply_bytes: int) -> None:
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        """Bodies of frames as they came; None at their end."""
        self.said_too_much = False
        """Whether it went on after `max_reply_bytes`; what it said then is thrown away."""
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self._room = max_reply_bytes
        self._buffer = bytearray()
        self._complaints = bytearray()
        self._open_pipes = {1, 2}
        self._transport: asyncio.SubprocessTransport | None = None
        self.may_leave_others = False
        """Whether it could have started processes of its own, which its end leaves behind."""

    async def start(self, request: bytes, *, trusted: bool) -> None:
        """Start the interpreter and hand over the request; the pipe to it stays open."""
        self.may_leave_others = trusted
        self._transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: self,
            sys.executable,
            *("-I", "-B", "-X", "utf8", "-c", _BOOT),
            _import_path(),
            env=_environment(os.environ, trusted=trusted),
            start_new_session=True,
        )
        # uvloop's transports are not subclasses of asyncio's.
        cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0)).write(request)

    @property
    def exit_code(self) -> int | None:
        """How it ended: negative for a signal; None while it runs."""
        return self._transport.get_returncode() if self._transport else None

    @property
    def complaints(self) -> str:
        """The last of what it wrote on standard error."""
        return self._complaints.decode(errors="replace")

    def signal(self, number: int) -> None:
        """Signal the whole process group."""
        assert self._transport is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)

    def close(self) -> None:
        """Give back the pipes."""
        assert self._transport is not None
        self._transport.close()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take frames apart; called by the event loop."""
        if fd == 2:
            self._complaints = (self._complaints + data)[-_MAX_STDERR_BYTES:]
            return
        self._room -= len(data)
        if self._room < 0:
            self._buffer.clear()
            self.said_too_much = True
            self.frames.put_nowait(None)
            return
        self._buffer += data
        while len(self._buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if len(self._buffer) < end:
                return
            self.frames.put_nowait(bytes(self._buffer[LENGTH_BYTES:end]))
            del self._buffer[:end]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Note the end of a pipe; called by the event loop."""
        self._open_pipes.discard(fd)
        if fd == 1:
            self.frames.put_nowait(None)
        if not self._open_pipes:
            self.silent.set()

    def process_exited(self) -> None:
        """Note the end of the process; called by the event loop."""
        self.exited.set()


async def finish(child: Child, *, grace: float) -> None:
    """Return when the child is gone and its pipes are closed, however often we are cancelled."""
    ending = asyncio.create_task(_end(child, grace), name="sandbox-end")
    cancelled: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError as error:
            cancelled = error
    ending.result()
    if cancelled is not None:
        raise cancelled


async def _end(child: Child, grace: float) -> None:
    if not child.exited.is_set():
        child.signal(signal.SIGTERM)
        await _within(grace, child.exited)
    if child.may_leave_others or not child.exited.is_set():
        child.signal(signal.SIGKILL)
    await child.exited.wait()
    # Its last words, unless something it started in a session of its own holds the pipe open.
    await _within(_LAST_WORDS_S, child.silent)
    child.close()


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _import_path() -> str:
    """Where this process finds modules, for the child to find the same ones."""
    return json.dumps([os.path.abspath(entry) for entry in sys.path])


def _environment(ours: Mapping[str, str], *, trusted: bool) -> dict[str, str]:
    """The child's environment: a walled one gets no secrets of ours."""
    if trusted:
        return dict(ours)
    kept = {name: ours[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in ours}
    # One arena: each further one would reserve 64 MB of the address space that is counted.
    return kept | {"MALLOC_ARENA_MAX": "1"}
