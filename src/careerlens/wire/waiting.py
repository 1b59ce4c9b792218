"""Waits for entries of any number of streams by one blocking read, on one connection.

    reader of A ──┐                                     ┌──▶ something has come: it reads
    reader of B ──┼──▶ XREAD BLOCK … STREAMS A B C … ───┤
    reader of C ──┘         ▲                           └──▶ the others go on waiting
                      CLIENT UNBLOCK: somebody waits who is not asked for yet

On a cluster the streams must lie together, as those of queues with one prefix do.
"""

from __future__ import annotations

import asyncio

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link

LOOK_AGAIN_S = 2.0
_BLOCK_S = 1.0
# How long who comes to wait may have to, where the server lets no call be unblocked.
_BLIND_BLOCK_S = 0.02
_UNBLOCK_EVERY_S = 0.005


class StreamWaits:
    """Waits for whoever asks. `link` leads to the same server, and stays the caller's to close."""

    def __init__(self, url: str, link: Link, *, name: str, timeout_s: float) -> None:
        self._link = link
        self._blocking = open_link(url, name=name, timeout_s=_BLOCK_S + timeout_s)
        self._block_s = _BLOCK_S
        # Each gets None, or why nobody can wait now.
        self._waiting: dict[asyncio.Future[Exception | None], tuple[str, str]] = {}
        self._asked: frozenset[asyncio.Future[Exception | None]] = frozenset()
        self._reading: asyncio.Task[None] | None = None

    async def wait(self, stream: str, position: str) -> None:
        """Return when there is an entry after the position, or after two seconds.

        Raises as `Link.call`.
        """
        told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._waiting[told] = (stream, position)
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                if self._reading is None:
                    self._reading = asyncio.create_task(self._read(), name="stream waits")
                else:
                    await self._be_asked_for(told)
                problem = await told
        except TimeoutError:
            return
        finally:
            self._waiting.pop(told, None)
        if problem is not None:
            raise problem

    async def close(self) -> None:
        """Wait for nobody any more, and close the connection that blocks."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._blocking.close()

    async def _be_asked_for(self, told: asyncio.Future[Exception | None]) -> None:
        """Let the read under way return, which knows nothing of who has just come."""
        while self._reading is not None and told not in self._asked and not told.done():
            try:
                is_blind = not await self._link.unblock(self._blocking)
            except CommandRejectedError:
                is_blind = True
            if self._blocking.is_connected:
                self._block_s = _BLIND_BLOCK_S if is_blind else _BLOCK_S
            # It may have been about to block: then it is unblocked the next time round.
            await asyncio.wait([told], timeout=_UNBLOCK_EVERY_S)

    async def _read(self) -> None:
        """Read for all who wait, as long as anybody does."""
        problem: Exception | None = None
        try:
            while self._waiting and problem is None:
                problem = await self._read_once()
        finally:
            self._reading = None
            self._asked = frozenset()

    async def _read_once(self) -> Exception | None:
        """Tell those for whom something has come; what hinders is told to all, and returned."""
        asked = self._waiting.copy()
        self._asked = frozenset(asked)
        streams, positions = zip(*asked.values(), strict=True)
        block_ms = int(self._block_s * 1000)
        try:
            found = await self._blocking.call(
                *("XREAD", "COUNT", 1, "BLOCK", block_ms, "STREAMS", *streams, *positions)
            )
        except (ServiceUnavailableError, CommandRejectedError) as problem:
            self._tell(list(self._waiting), problem)
            return problem
        grown = {stream.decode() for stream, _ in found or ()}
        self._tell([told for told, (stream, _) in asked.items() if stream in grown], None)
        return None

    def _tell(
        self, those: list[asyncio.Future[Exception | None]], problem: Exception | None
    ) -> None:
        for told in those:
            self._waiting.pop(told, None)
            if not told.done():
                told.set_result(problem)
