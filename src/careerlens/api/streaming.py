"""Streams that end when the server stops, so that no client holds up a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing


async def until_stopping(
    events: AsyncGenerator[bytes, None], stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """What `events` yields, until it ends or `stopping` is set; it is closed either way."""
    stop = asyncio.create_task(stopping.wait(), name="stopping")
    async with aclosing(events):
        upcoming: asyncio.Future[bytes] | None = None
        try:
            while True:
                upcoming = asyncio.ensure_future(anext(events))
                await asyncio.wait({upcoming, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not upcoming.done():
                    return
                try:
                    event = upcoming.result()
                except StopAsyncIteration:
                    return
                yield event
        finally:
            stop.cancel()
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)
