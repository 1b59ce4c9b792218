"""A job that tells how far it is, with the moment on the machine's monotonic clock."""

from __future__ import annotations

import asyncio
import time

from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import job
from careerlens.jobs.model import WireModel


class Talk(WireModel):
    """How often, and with how long a rest in between."""

    times: int
    rest_s: float


@job("bench-talk", timeout=600, attempts=1)
async def talk(ctx: JobContext, data: Talk) -> None:
    """Report progress again and again, at an even pace."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number in range(data.times):
        due += data.rest_s
        await asyncio.sleep(due - loop.time())
        await ctx.progress(100 * number / data.times, str(time.monotonic_ns()))
