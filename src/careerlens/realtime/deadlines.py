"""Every call to Redis here has a named deadline.

redis-py's own `socket_timeout` is not used: it sends by `asyncio.wait_for`, which on Python 3.11
loses a cancellation that arrives as the send completes, and a task that was told to stop would
run on. `asyncio.timeout` does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

COMMAND_DEADLINE_S = 5.0


async def answer(what: str, call: Awaitable[Any]) -> Any:
    """The reply to one command.

    Raises `TimeoutError`, which names `what`, when it takes over 5 s.
    """
    try:
        async with asyncio.timeout(COMMAND_DEADLINE_S):
            return await call
    except TimeoutError:
        raise TimeoutError(f"{what} timed out after {COMMAND_DEADLINE_S:.0f} s") from None
