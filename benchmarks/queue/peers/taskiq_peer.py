"""taskiq with the stream broker of taskiq-redis, which acknowledges jobs; no results kept."""

from __future__ import annotations

from harness import AsyncPeer, handle_async, main
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker


class TaskiqPeer(AsyncPeer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._broker = RedisStreamBroker(url, consumer_id="0", max_connection_pool_size=50)
        self._job = self._broker.register_task(handle_async, task_name="job")

    async def open(self) -> None:
        await self._broker.startup()

    async def add(self, number: int) -> None:
        await self._job.kiq(number)

    async def serve(self, concurrency: int) -> None:
        await run_receiver_task(self._broker, max_async_tasks=concurrency, run_startup=True)


if __name__ == "__main__":
    main(TaskiqPeer)
