"""The other end of `run_isolated`: one call, in a process of its own.

The parent writes one frame and keeps the pipe open for as long as it lives; the end of that pipe
is the end of this process. Answers go back as frames of the same form: see `_sandbox_pipe`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import traceback
from typing import Any, NoReturn

from careerlens.foundation import confinement, isolation
from careerlens.foundation._sandbox_pipe import (
    LENGTH_BYTES,
    find_function,
    frame,
    present,
    restore,
)

_WATCH_S = 0.05
_MAX_TEXT = 20_000


def main() -> NoReturn:
    """Serve one call on standard input and output, and end."""
    requests, replies = _take_over_pipes()
    request = _read_request(requests)
    if request["walled"]:
        # Not for a trusted one: it may have started others, which the watch ends together with it.
        confinement.die_with_parent(signal.SIGKILL)
    if os.getppid() != request["parent"]:
        os._exit(1)
    write = _Replies(replies)
    code = _serve(request, requests, write)
    # Without the interpreter's farewell: what a native library left behind cannot spoil the answer.
    os._exit(code)


class _Replies:
    """Writes frames to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def __call__(self, kind: str, **fields: Any) -> None:
        left = memoryview(frame({"kind": kind, **fields}))
        with self._lock:
            while left:
                left = left[os.write(self._descriptor, left) :]


def _take_over_pipes() -> tuple[int, int]:
    """Keep the two pipes for us, so that a stray `print` or `input` cannot touch them."""
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return requests, replies


def _read_request(descriptor: int) -> dict[str, Any]:
    length = int.from_bytes(_read_exactly(descriptor, LENGTH_BYTES), "big")
    request: dict[str, Any] = json.loads(_read_exactly(descriptor, length))
    return request


def _read_exactly(descriptor: int, count: int) -> bytes:
    pieces: list[bytes] = []
    while count:
        piece = os.read(descriptor, min(count, 1 << 20))
        if not piece:
            os._exit(1)
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _serve(request: dict[str, Any], requests: int, write: _Replies) -> int:
    isolation.listen(lambda message: write("message", value=message))
    memory = request["memoryBytes"]
    threading.Thread(
        target=_watch,
        args=(requests, memory if sys.platform == "darwin" else None, request["walled"]),
        name="parent-watch",
        daemon=True,
    ).start()
    try:
        confinement.limit_resources(
            memory_bytes=memory,
            cpu_seconds=request["cpuSeconds"],
            descriptors=confinement.MAX_DESCRIPTORS if request["walled"] else None,
        )
        if request["walled"]:
            confinement.wall_in()
        else:
            signal.signal(signal.SIGTERM, _leave)
        function = find_function(request["module"], request["file"], request["name"])
        arguments = [restore(argument) for argument in request["arguments"]]
        write("result", value=present(function(*arguments)))
    except MemoryError:
        write("memory")
    except Exception as error:  # noqa: BLE001 — every failure becomes an answer
        _report(error, write)
    return 0


def _report(error: Exception, write: _Replies) -> None:
    from careerlens.foundation.errors import JobError

    if isinstance(error, JobError):
        ancestry = [f"{kind.__module__}:{kind.__qualname__}" for kind in type(error).__mro__]
        write("error", ancestry=ancestry, message=error.message[:_MAX_TEXT], code=error.code)
        return
    text = "".join(traceback.format_exception(error))
    summary = "".join(traceback.format_exception_only(error)).strip()
    write("failure", summary=summary[:_MAX_TEXT], traceback=text[-_MAX_TEXT:])


def _leave(*_: object) -> NoReturn:
    """On the polite signal: unwind, so that `finally` blocks run."""
    raise SystemExit(143)


def _watch(requests: int, memory_bytes: int | None, walled: bool) -> None:
    """End this process, and what it started, once the parent is gone or memory is overdrawn."""
    while True:
        ready, _, _ = select.select([requests], [], [], _WATCH_S if memory_bytes else None)
        if ready and not os.read(requests, 4096):
            break
        if memory_bytes is not None and confinement.resident_bytes() > memory_bytes:
            break
    if not walled:
        os.killpg(0, signal.SIGKILL)
    os._exit(137)
