"""Starts the systems' processes, hears their answers, and gives server and client a core each."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from systems import BENCHMARKS, System

PATIENCE_S = 150.0


class Failed(Exception):  # noqa: N818 (a system's failure, not ours)
    """A system did not do what was asked. The text ends with its last line."""


_FAILURES: dict[type[Exception], str] = {
    TimeoutError: "not in time",
    EOFError: "ended early",
    BrokenPipeError: "ended early",
}


@asynccontextmanager
async def started(
    system: System, url: str, role: str, *numbers: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of the system, killed afterwards: how it ends is not what is measured.

    Raises `Failed` for what went wrong while it was there.
    """
    runs_jobs = role.startswith("work") or role == "answer"
    command = system.fills if system.fills and not runs_jobs else system.command
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            url,
            role,
            *map(str, numbers),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={
                **os.environ,
                "PYTHONPATH": str(BENCHMARKS),
                "PYTHONUNBUFFERED": "1",
                "TMPDIR": folder,
            },
        )
        try:
            yield process
        except (TimeoutError, EOFError, BrokenPipeError) as error:
            log.seek(0)
            words = log.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise Failed(_FAILURES[type(error)] + (words and f": {words[-200:]}")) from error
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def line_of(
    process: asyncio.subprocess.Process, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """The next answer; anything else that a library prints is passed over.

    Raises `TimeoutError`, and `EOFError` when there will be no answer.
    """
    assert process.stdout
    async with asyncio.timeout(patience_s):
        while line := await process.stdout.readline():
            if line.startswith(b"{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
    raise EOFError(f"the process ended with {await process.wait()}")


@contextmanager
def cores_apart(server_pid: int) -> Iterator[None]:
    """Keep the server on one core, and what is started meanwhile on the others.

    The kernel likes to pack two processes that talk to each other on one core, now and then:
    whom that hits is chance. Nothing happens where there is one core, or no say about it.
    """
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        yield
        return
    everywhere = os.sched_getaffinity(0)
    first = min(everywhere)
    os.sched_setaffinity(server_pid, {first})
    os.sched_setaffinity(0, everywhere - {first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)
        os.sched_setaffinity(server_pid, everywhere)
