"""Dramatiq: a worker of threads."""

from __future__ import annotations

import threading

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from harness import BlockingPeer, Unsupported, handle, main


class DramatiqPeer(BlockingPeer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._broker = RedisBroker(url=url)
        self._job = dramatiq.actor(handle, broker=self._broker, actor_name="job")

    def add(self, number: int) -> None:
        self._job.send(number)

    def enqueue_prioritized(self, jobs: int) -> float:
        raise Unsupported("priorities order only what a worker has fetched already")

    def work(self, concurrency: int) -> None:
        dramatiq.Worker(self._broker, worker_threads=concurrency).start()
        threading.Event().wait()


if __name__ == "__main__":
    main(DramatiqPeer)
