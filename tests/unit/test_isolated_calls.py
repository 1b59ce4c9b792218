"""`run_isolated`: a call in a process of its own, and everything that can go wrong in it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

import isolated_functions as functions
from careerlens.foundation.errors import JobError, UnrecoverableError
from careerlens.foundation.sandbox import (
    SandboxCrashedError,
    SandboxError,
    SandboxMemoryError,
    SandboxTimeoutError,
    run_isolated,
)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        if sys.platform == "linux":
            return False
        found = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
        )
        state = found.stdout.strip()[:1] or "Z"
    return state != "Z"


async def until_gone(pid: int, within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        await asyncio.sleep(0.01)


async def test_result_and_arguments_cross_over() -> None:
    assert await run_isolated(functions.add, 2, 3, timeout=20) == 5
    given = ["text é\n", {"list": [1, 2.5, None, True]}, b"\x00bytes".replace(b"\x00", b"")]
    assert await run_isolated(functions.echo, *given, timeout=20) == [*given[:2], "bytes"]


async def test_each_call_has_a_process_of_its_own_and_many_run_at_once() -> None:
    calls = [run_isolated(functions.process_id, timeout=30) for _ in range(6)]
    pids = await asyncio.gather(*calls)
    assert len({*pids, os.getpid()}) == 7


async def test_messages_arrive_in_order_before_the_result() -> None:
    seen: list[Any] = []

    async def slowly(message: Any) -> None:
        await asyncio.sleep(0)
        seen.append(message)

    result = await run_isolated(functions.count_up, 50, timeout=20, on_message=slowly)
    assert result == "done"
    assert seen == [{"number": number} for number in range(50)]


async def test_printing_does_not_disturb_the_answer() -> None:
    assert await run_isolated(functions.print_noise, timeout=20) == "clean"


async def test_job_errors_come_back_as_they_were_raised() -> None:
    with pytest.raises(JobError, match="Come back later") as later:
        await run_isolated(functions.raise_job_error, timeout=20)
    assert not isinstance(later.value, UnrecoverableError)
    assert later.value.code == "later"
    with pytest.raises(functions.PickyError) as locked:
        await run_isolated(functions.raise_unrecoverable, timeout=20)
    assert locked.value.code == "file_encrypted"


async def test_other_exceptions_keep_their_traceback_for_the_log() -> None:
    with pytest.raises(SandboxError, match="ValueError: seven is not allowed") as failed:
        await run_isolated(functions.raise_other, timeout=20)
    assert "raise_other" in failed.value.details


async def test_a_result_that_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(SandboxError, match="ValueError"):
        await run_isolated(functions.return_nan, timeout=20)


async def test_a_crash_is_that_calls_own() -> None:
    with pytest.raises(SandboxCrashedError) as crashed:
        await run_isolated(functions.crash, timeout=20)
    assert crashed.value.exit_code is not None
    assert crashed.value.exit_code < 0
    assert await run_isolated(functions.add, 1, 1, timeout=20) == 2


@pytest.mark.parametrize("trusted", [False, True])
async def test_too_much_memory_is_told_apart(trusted: bool) -> None:
    with pytest.raises(SandboxMemoryError):
        await run_isolated(
            functions.take_memory, 2**30, timeout=20, memory_bytes=2**28, trusted=trusted
        )


async def test_processor_time_is_limited() -> None:
    with pytest.raises(SandboxTimeoutError) as spent:
        await run_isolated(functions.burn_processor, timeout=30, cpu_seconds=1)
    assert spent.value.limit == "cpu"


async def test_wall_time_is_limited_and_the_process_ends() -> None:
    pids: list[int] = []
    with pytest.raises(SandboxTimeoutError) as late:
        await run_isolated(functions.sleep_for_ever, timeout=1, on_message=pids.append)
    assert late.value.limit == "wall"
    assert pids
    assert not is_alive(pids[0])


@pytest.mark.parametrize("function", [functions.answer_too_much, functions.emit_without_end])
async def test_answers_are_bounded(function: Any) -> None:
    with pytest.raises(SandboxError, match="more than it may"):
        await run_isolated(function, timeout=20, max_reply_bytes=1_000_000)


async def _start_and_learn_pid(function: Any, **options: Any) -> tuple[asyncio.Task[Any], int]:
    pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        run_isolated(function, timeout=60, on_message=pid.set_result, **options)
    )
    return task, await pid


async def test_cancelling_ends_the_process_before_it_returns() -> None:
    task, pid = await _start_and_learn_pid(functions.sleep_for_ever)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(pid)


async def test_cancelling_kills_what_ignores_it() -> None:
    task, pid = await _start_and_learn_pid(
        functions.ignore_polite_requests, trusted=True, kill_grace=0.3
    )
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(pid)
    assert 0.25 < time.monotonic() - began < 3


async def test_cancelling_ends_what_the_function_started() -> None:
    task, sleeper = await _start_and_learn_pid(functions.start_sleeper, trusted=True)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(sleeper)


@pytest.mark.parametrize(
    ("function", "trusted"), [("sleep_for_ever", False), ("start_sleeper", True)]
)
async def test_nothing_outlives_a_killed_parent(function: str, trusted: bool) -> None:
    """kill -9 of the worker itself leaves no child, and no child of a child."""
    program = f"""
        import asyncio, isolated_functions
        from careerlens.foundation.sandbox import run_isolated
        asyncio.run(run_isolated(isolated_functions.{function}, timeout=600, trusted={trusted},
                                 on_message=lambda pid: print(pid, flush=True)))
    """
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(program),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await until_gone(pid)


async def test_uvloop_serves_as_well() -> None:
    program = """
        import asyncio, isolated_functions, uvloop
        from careerlens.foundation.sandbox import run_isolated, SandboxTimeoutError
        async def main():
            print(await run_isolated(isolated_functions.add, 2, 2, timeout=20))
            try:
                await run_isolated(isolated_functions.sleep_for_ever, timeout=0.5)
            except SandboxTimeoutError:
                print("late")
        uvloop.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-c", textwrap.dedent(program)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said, complained = await process.communicate()
    assert (said.decode().split(), complained.decode()) == (["4", "late"], "")
