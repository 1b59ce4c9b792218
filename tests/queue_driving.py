"""Drives jobs of a queue through their states by hand, for tests that watch what comes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any, Literal

from careerlens.foundation.clock import epoch_ms
from careerlens.jobs.ids import new_job_id
from careerlens.queue import JobOptions, Queue
from careerlens.wire.calls import QueueCalls, fetch_options, finish_options
from careerlens.wire.link import Link

_tokens = count()


class Driver:
    """Adds, takes and finishes jobs of one queue, one script call each."""

    def __init__(self, queue: str, link: Link, *, prefix: str = "bull") -> None:
        self.queue = Queue(queue, link, prefix=prefix)
        self._link = link
        self._calls = QueueCalls(self.queue.keys)

    async def add(self, user: str = "user-1", **data: Any) -> str:
        """Add a job of `user` as our manager does, and return its id."""
        job_id = str(new_job_id(user, self.queue.name))
        options = JobOptions(job_id=job_id, attempts=3, priority=1)
        return await self.queue.add(self.queue.name, {"userId": user, **data}, options)

    async def take(self) -> tuple[str, str]:
        """Take the next job; returns its id and the token that holds it."""
        token = f"driver:{next(_tokens)}"
        reply = await self._link.run(
            *self._calls.take(epoch_ms(), fetch_options(token, 30_000, None, None))
        )
        assert reply[0], "there was no job to take"
        return reply[1].decode(), token

    async def finish(
        self,
        taken: tuple[str, str],
        target: Literal["completed", "failed"] = "completed",
        value: Any = None,
        *,
        keep: Mapping[str, int] | None = None,
        code: str | None = None,
    ) -> str:
        """End a taken job with a result, or with a reason for its failure."""
        job_id, token = taken
        options = finish_options(
            token, 30_000, None, None, keep=keep or {"count": -1}, attempts=1, stored={}
        )
        text = json.dumps(value) if target == "completed" else str(value)
        fields = {} if code is None else {"errorCode": code}
        call = self._calls.finish(
            job_id, epoch_ms(), target, text, options, fields, fetch_next=False
        )
        assert await self._link.run(*call) == 0
        return job_id

    async def run_one(self, value: Any = None, **finish: Any) -> str:
        """Take the next job and complete it."""
        return await self.finish(await self.take(), "completed", value, **finish)
