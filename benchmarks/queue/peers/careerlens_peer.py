"""Ours."""

from __future__ import annotations

from collections.abc import Iterable

from harness import AsyncPeer, main, tally

from careerlens.queue import JobOptions, NewJob, Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions

QUEUE = "bench"


async def _handle(job: ActiveJob) -> None:
    tally.job(job.record.data["number"])


class CareerlensPeer(AsyncPeer):
    async def open(self) -> None:
        link = Link(self.url, name="bench")
        await link.connect()
        self._queue = Queue(QUEUE, link)
        await self._queue.open()

    async def add(self, number: int) -> None:
        await self._queue.add(QUEUE, {"number": number})

    async def add_many(self, numbers: Iterable[int]) -> None:
        await self._add(numbers, JobOptions())

    async def add_prioritized(self, numbers: Iterable[int]) -> None:
        await self._add(numbers, JobOptions(priority=1))

    async def _add(self, numbers: Iterable[int], options: JobOptions) -> None:
        await self._queue.add_bulk(
            [NewJob(name=QUEUE, data={"number": number}, options=options) for number in numbers]
        )

    async def serve(self, concurrency: int) -> None:
        options = WorkerOptions(concurrency=concurrency)
        await Worker(QUEUE, _handle, redis_url=self.url, options=options).run()


if __name__ == "__main__":
    main(CareerlensPeer)
