"""BullMQ's own package for Python."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from bullmq import Queue, Worker
from harness import AsyncPeer, main, tally

QUEUE = "bench"


async def _handle(job: Any, _token: str) -> None:
    tally.job(job.data["number"])


class BullmqPeer(AsyncPeer):
    async def open(self) -> None:
        self._queue = Queue(QUEUE, {"connection": self.url})

    async def add(self, number: int) -> None:
        await self._queue.add(QUEUE, {"number": number})

    async def add_many(self, numbers: Iterable[int]) -> None:
        await self._queue.addBulk([{"name": QUEUE, "data": {"number": n}} for n in numbers])

    async def add_prioritized(self, numbers: Iterable[int]) -> None:
        await self._queue.addBulk(
            [{"name": QUEUE, "data": {"number": n}, "opts": {"priority": 1}} for n in numbers]
        )

    async def serve(self, concurrency: int) -> None:
        Worker(QUEUE, _handle, {"connection": self.url, "concurrency": concurrency})
        await asyncio.Event().wait()


if __name__ == "__main__":
    main(BullmqPeer)
