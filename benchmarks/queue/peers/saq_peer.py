"""SAQ."""

from __future__ import annotations

from typing import Any

from harness import AsyncPeer, main, tally
from saq import Queue, Worker


async def job(_context: Any, *, number: int) -> None:
    tally.job(number)


class SaqPeer(AsyncPeer):
    async def open(self) -> None:
        self._queue = Queue.from_url(self.url)
        await self._queue.connect()

    async def add(self, number: int) -> None:
        await self._queue.enqueue("job", number=number)

    async def serve(self, concurrency: int) -> None:
        await self.open()
        await Worker(self._queue, functions=[job], concurrency=concurrency).start()


if __name__ == "__main__":
    main(SaqPeer)
