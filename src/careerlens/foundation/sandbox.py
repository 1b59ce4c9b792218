"""Run a function in a process of its own, which can be limited, watched and killed.

A fresh interpreter per call, so that nothing of one document reaches the next one, a crash or a
memory kill ends that call alone, and cancelling truly stops the work. It costs about 50 ms and
what the function's module imports; keep such modules lean.

By default the child is walled in, see `careerlens.foundation.confinement`: it may read files and
compute, and that is all. `trusted=True` lifts the walls for code that is ours (a job handler
that is a plain function): network, files, programs, and the environment are then as here, and
the limits on time and memory stay.

The child dies with this process, however this process dies.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from careerlens.foundation.errors import CareerLensError, JobError, UnrecoverableError
from careerlens.foundation.isolation import emit

__all__ = [
    "SandboxCrashedError",
    "SandboxError",
    "SandboxMemoryError",
    "SandboxTimeoutError",
    "emit",
    "run_isolated",
]

LENGTH_BYTES: Final = 4
MAX_REPLY_BYTES: Final = 32 * 1024 * 1024
_MAX_STDERR_BYTES = 64 * 1024
_LAST_WORDS_S = 0.5
_BOOT = (
    "import sys,json;sys.path[:]=json.loads(sys.argv[1]);"
    "from careerlens.foundation._sandbox_child import main;main()"
)

MessageListener = Callable[[Any], Awaitable[None] | None]


class SandboxError(CareerLensError):
    """The function failed, or answered what cannot be used. `details` is for logs only."""

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class SandboxCrashedError(SandboxError):
    """The child process ended without an answer. `exit_code` is negative for a signal."""

    def __init__(self, message: str, *, exit_code: int | None, details: str = "") -> None:
        super().__init__(message, details=details)
        self.exit_code = exit_code


class SandboxMemoryError(SandboxCrashedError):
    """The function needed more memory than it was given."""


class SandboxTimeoutError(SandboxError):
    """The function did not end in its time. `limit` names which: `wall` or `cpu`."""

    def __init__(self, message: str, *, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limits:
    memory_bytes: int | None
    cpu_seconds: float | None
    trusted: bool


async def run_isolated(
    function: Callable[..., Any],
    *args: Any,
    timeout: float | None,
    memory_bytes: int | None = None,
    cpu_seconds: float | None = None,
    on_message: MessageListener | None = None,
    trusted: bool = False,
    max_reply_bytes: int = MAX_REPLY_BYTES,
    kill_grace: float = 2.0,
) -> Any:
    """Call `function(*args)` in a child process and return what it returns, as JSON has it.

    `function` is found again by its module and name, so it must stand at the top level of a
    module. `args` may be JSON values, bytes and Pydantic models; the result too (without bytes),
    where a model arrives as a dict under its wire names. What the function gives to `emit`
    arrives at `on_message` in order; an awaitable that it returns is awaited first.

    `timeout` and `cpu_seconds` are seconds, `memory_bytes` bounds the address space. Several
    calls may run at once. Cancelling sends the child SIGTERM, then SIGKILL after `kill_grace`
    seconds, and returns when it is gone.

    Raises `JobError` and its subclasses as the function raised them, `SandboxTimeoutError`,
    `SandboxMemoryError`, `SandboxCrashedError`, and `SandboxError` for any other exception of
    the function.
    """
    limits = _Limits(
        memory_bytes=memory_bytes,
        cpu_seconds=cpu_seconds,
        trusted=trusted,
    )
    child = _Child(max_reply_bytes)
    await child.start(_frame(_request(function, args, limits)), trusted=trusted)
    ended = False
    try:
        async with asyncio.timeout(timeout):
            outcome = await _outcome(child, on_message)
            await child.exited.wait()
            ended = True
    except TimeoutError:
        raise SandboxTimeoutError(f"It did not end within {timeout:g} s.", limit="wall") from None
    finally:
        await _finish(child, grace=0.0 if ended else kill_grace)
    if outcome is None:
        raise _explain_death(child.exit_code, child.complaints)
    return _unwrap(outcome)


class _Child(asyncio.SubprocessProtocol):
    """One child process: what it said, and whether it is still there."""

    def __init__(self, max_reply_bytes: int) -> None:
        self.frames: asyncio.Queue[bytes | SandboxError | None] = asyncio.Queue()
        """Bodies of frames as they came; None at their end, an error where they overflowed."""
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
            self.frames.put_nowait(SandboxError("It answered with more than it may."))
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


async def _outcome(child: _Child, on_message: MessageListener | None) -> dict[str, Any] | None:
    """Pass messages on until the outcome; None where the child died before it had one."""
    while (body := await child.frames.get()) is not None:
        if isinstance(body, SandboxError):
            raise body
        reply = _parse(body)
        if reply["kind"] != "message":
            return reply
        if on_message is not None:
            waiting = on_message(reply.get("value"))
            if inspect.isawaitable(waiting):
                await waiting
    return None


async def _finish(child: _Child, *, grace: float) -> None:
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


async def _end(child: _Child, grace: float) -> None:
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


def _request(
    function: Callable[..., Any], args: tuple[Any, ...], limits: _Limits
) -> dict[str, Any]:
    module = sys.modules.get(function.__module__)
    return {
        "parent": os.getpid(),
        "module": function.__module__,
        "file": getattr(module, "__file__", None),
        "name": function.__qualname__,
        "arguments": [prepare(argument) for argument in args],
        "memoryBytes": limits.memory_bytes,
        "cpuSeconds": limits.cpu_seconds,
        "walled": not limits.trusted,
    }


def prepare(argument: Any) -> Any:
    """An argument in a form that JSON can carry; `_sandbox_child.restore` is its other half."""
    if isinstance(argument, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(argument).decode()}
    if hasattr(argument, "model_dump"):
        kind = type(argument)
        module = sys.modules.get(kind.__module__)
        return {
            "$model": [kind.__module__, kind.__qualname__],
            "file": getattr(module, "__file__", None),
            "value": prepare(argument.model_dump(mode="json", by_alias=True)),
        }
    if isinstance(argument, Mapping):
        return {"$object": {key: prepare(value) for key, value in argument.items()}}
    if isinstance(argument, list | tuple):
        return [prepare(value) for value in argument]
    return argument


def _frame(value: Any) -> bytes:
    body = json.dumps(value, allow_nan=False).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def _parse(body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SandboxError(f"It answered what is not JSON: {error}") from None
    if not isinstance(reply, dict) or not isinstance(reply.get("kind"), str):
        raise SandboxError("It answered out of form.")
    return reply


def _explain_death(exit_code: int | None, complaints: str) -> SandboxError:
    if exit_code == -signal.SIGXCPU:
        return SandboxTimeoutError("It used up its processor time.", limit="cpu")
    if exit_code == 137:
        return SandboxMemoryError(
            "It needed more memory than allowed.", exit_code=exit_code, details=complaints
        )
    how = f"signal {-exit_code}" if exit_code and exit_code < 0 else f"exit code {exit_code}"
    return SandboxCrashedError(
        f"Its process ended without an answer ({how}).", exit_code=exit_code, details=complaints
    )


def _unwrap(outcome: dict[str, Any]) -> Any:
    match outcome["kind"]:
        case "result":
            return outcome.get("value")
        case "memory":
            raise SandboxMemoryError("It needed more memory than allowed.", exit_code=None)
        case "error":
            raise _job_error(outcome)
        case "failure":
            raise SandboxError(
                str(outcome.get("summary", "It failed.")),
                details=str(outcome.get("traceback", "")),
            )
    raise SandboxError("It answered out of form.")


def _job_error(outcome: dict[str, Any]) -> JobError:
    """The error as raised: the nearest of its classes that is loaded here already.

    Nothing is imported on the child's word.
    """
    known = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in _kinds(JobError)}
    message, code = str(outcome.get("message", "")), str(outcome.get("code", "job_failed"))
    ancestry = [str(name) for name in outcome.get("ancestry", [])]
    for name in ancestry:
        if (kind := known.get(name)) is not None:
            try:
                return kind(message, code=code)
            except TypeError:
                continue
    return UnrecoverableError(message, code=code)


def _kinds(kind: type[JobError]) -> list[type[JobError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _kinds(child))]
