"""Huey: a consumer of threads; no results kept."""

from __future__ import annotations

from harness import BlockingPeer, handle, main
from huey import RedisHuey


class HueyPeer(BlockingPeer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._huey = RedisHuey("bench", url=url, results=False)
        self._job = self._huey.task(name="job")(handle)

    def add(self, number: int) -> None:
        self._job(number)

    def work(self, concurrency: int) -> None:
        self._huey.create_consumer(workers=concurrency, periodic=False).run()


if __name__ == "__main__":
    main(HueyPeer)
