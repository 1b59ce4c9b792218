"""arq."""

from __future__ import annotations

from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker
from harness import AsyncPeer, main, tally


async def job(_context: Any, number: int) -> None:
    tally.job(number)


class ArqPeer(AsyncPeer):
    async def open(self) -> None:
        self._pool = await create_pool(RedisSettings.from_dsn(self.url))

    async def add(self, number: int) -> None:
        await self._pool.enqueue_job("job", number)

    async def serve(self, concurrency: int) -> None:
        settings = RedisSettings.from_dsn(self.url)
        worker = Worker([job], redis_settings=settings, max_jobs=concurrency, handle_signals=False)
        await worker.async_run()


if __name__ == "__main__":
    main(ArqPeer)
