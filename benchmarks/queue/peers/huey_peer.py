"""Huey: a consumer of threads; no results kept."""

from __future__ import annotations

from harness import BlockingPeer, handle, main, timed
from huey import PriorityRedisHuey, RedisHuey


class HueyPeer(BlockingPeer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._huey = RedisHuey("bench", url=url, results=False)
        self._job = self._huey.task(name="job")(handle)

    def add(self, number: int) -> None:
        self._job(number)

    def enqueue_prioritized(self, jobs: int) -> float:
        self._use_priorities()

        def add_all() -> None:
            for number in range(jobs):
                self._job(number, priority=1)

        return timed(add_all)

    def work(self, concurrency: int) -> None:
        self._huey.create_consumer(workers=concurrency, periodic=False).run()

    def work_prioritized(self, concurrency: int) -> None:
        self._use_priorities()
        self.work(concurrency)

    def _use_priorities(self) -> None:
        self._huey = PriorityRedisHuey("bench", url=self.url, results=False)
        self._job = self._huey.task(name="job")(handle)


if __name__ == "__main__":
    main(HueyPeer)
