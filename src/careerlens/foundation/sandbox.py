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
import inspect
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from careerlens.foundation._sandbox_pipe import frame, prepare
from careerlens.foundation._sandbox_process import Child, finish
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

MAX_REPLY_BYTES: Final = 32 * 1024 * 1024
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
    child = Child(max_reply_bytes)
    await child.start(frame(_request(function, args, limits)), trusted=trusted)
    ended = False
    try:
        async with asyncio.timeout(timeout):
            outcome = await _outcome(child, on_message)
            await child.exited.wait()
            ended = True
    except TimeoutError:
        raise SandboxTimeoutError(f"It did not end within {timeout:g} s.", limit="wall") from None
    finally:
        await finish(child, grace=0.0 if ended else kill_grace)
    if outcome is None:
        raise _explain_death(child.exit_code, child.complaints)
    return _unwrap(outcome)


async def _outcome(child: Child, on_message: MessageListener | None) -> dict[str, Any] | None:
    """Pass messages on until the outcome; None where the child died before it had one."""
    while (body := await child.frames.get()) is not None:
        reply = _parse(body)
        if reply["kind"] != "message":
            return reply
        if on_message is not None:
            waiting = on_message(reply.get("value"))
            if inspect.isawaitable(waiting):
                await waiting
    if child.said_too_much:
        raise SandboxError("It answered with more than it may.")
    return None


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
