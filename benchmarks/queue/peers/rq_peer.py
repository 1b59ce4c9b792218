"""RQ: its worker that does not fork for every job. One process runs one job at a time."""

from __future__ import annotations

import redis
from harness import BlockingPeer, batches, handle, main, timed
from rq import Queue, SimpleWorker


class RqPeer(BlockingPeer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._connection = redis.Redis.from_url(url)
        self._queue = Queue(connection=self._connection)

    def add(self, number: int) -> None:
        self._queue.enqueue(handle, number)

    def enqueue_bulk(self, jobs: int) -> float:
        def add_all() -> None:
            for batch in batches(jobs):
                self._queue.enqueue_many(
                    [Queue.prepare_data(handle, args=(number,)) for number in batch]
                )

        return timed(add_all)

    def work(self, concurrency: int) -> None:
        worker = SimpleWorker([self._queue], connection=self._connection)
        worker.work(logging_level="ERROR")


if __name__ == "__main__":
    main(RqPeer)
