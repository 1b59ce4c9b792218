"""Celery: one worker process with its pool of threads; no results kept."""

from __future__ import annotations

from celery import Celery
from harness import BlockingPeer, handle, main, timed


class CeleryPeer(BlockingPeer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._app = Celery("bench", broker=url)
        self._app.conf.worker_hijack_root_logger = False
        self._app.conf.worker_redirect_stdouts = False
        self._job = self._app.task(handle, name="job", ignore_result=True)

    def add(self, number: int) -> None:
        self._job.delay(number)

    def enqueue_prioritized(self, jobs: int) -> float:
        def add_all() -> None:
            for number in range(jobs):
                self._job.apply_async((number,), priority=3)

        return timed(add_all)

    def work(self, concurrency: int) -> None:
        self._app.Worker(pool="threads", concurrency=concurrency, loglevel="ERROR").start()


if __name__ == "__main__":
    main(CeleryPeer)
