"""Running coroutines from a command, on uvloop where there is one, until done or told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_async(work: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Run `work` to its end. `fast`: on uvloop, for processes that serve."""
    with asyncio.Runner(loop_factory=_fast_loop if fast else None) as runner:
        return runner.run(work)


async def until_stopped(work: Awaitable[T], *, again: Callable[[], None] | None = None) -> T | None:
    """Await `work`; on SIGINT or SIGTERM cancel it and return None once it has cleaned up.

    `again` is called for each further signal: the person is in a hurry.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            if again is not None:
                again()
            return
        stopping = True
        task.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopping:
            raise
        return None
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


def _fast_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
