"""streaQ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streaq
from harness import AsyncPeer, handle_async, main


class StreaqPeer(AsyncPeer):
    async def open(self) -> None:
        self._worker, self._job = self._make(1)
        await self._worker.__aenter__()

    def _make(self, concurrency: int) -> tuple[Any, Any]:
        worker: Any = streaq.Worker(
            redis_url=self.url,
            concurrency=concurrency,
            priorities=["normal", "high"],
            handle_signals=False,
        )
        return worker, worker.task(name="job")(handle_async)

    async def add(self, number: int) -> None:
        await self._job.enqueue(number)

    async def add_many(self, numbers: Iterable[int]) -> None:
        await self._worker.enqueue_many([self._job.enqueue(number) for number in numbers])

    async def add_prioritized(self, numbers: Iterable[int]) -> None:
        await self._worker.enqueue_many(
            [self._job.enqueue(number).start(priority="high") for number in numbers]
        )

    async def serve(self, concurrency: int) -> None:
        worker, _ = self._make(concurrency)
        await worker.run_async()


if __name__ == "__main__":
    main(StreaqPeer)
