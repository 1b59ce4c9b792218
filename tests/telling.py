"""Entries of feeds, written as the relay writes them and without one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from redis.asyncio import Redis

from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobProgress, JobStatus, JobUpdate
from careerlens.realtime.entries import UPDATE_FIELD, encode_update


class Teller:
    """Appends numbered entries to feeds as the relay does, in loads, and remembers their ids."""

    def __init__(self, redis: Redis) -> None:
        self.ids: dict[str, list[str]] = {}
        self.wakes_lost = 0
        self._redis = redis

    async def tell(self, users: Sequence[str], *, loses_wake: Sequence[bool] | None = None) -> None:
        """One entry for each of these, who may be named more than once."""
        pipeline = self._redis.pipeline(transaction=False)
        counts = {user: len(self.ids.get(user, ())) for user in users}
        for user in users:
            pipeline.xadd(feed_key(user), {UPDATE_FIELD: _numbered(user, counts[user])})
            counts[user] += 1
        ids = [entry.decode() if isinstance(entry, bytes) else entry
               for entry in await pipeline.execute()]  # fmt: skip
        for index, (user, entry_id) in enumerate(zip(users, ids, strict=True)):
            self.ids.setdefault(user, []).append(entry_id)
            if loses_wake is not None and loses_wake[index]:
                self.wakes_lost += 1
            else:
                pipeline.publish(wake_channel(user), entry_id)
        await pipeline.execute()


def _numbered(user: str, number: int) -> str:
    update = JobUpdate(
        id="",
        job_id=f"{user}-job",
        type="echo",
        event=JobEventKind.PROGRESS,
        status=JobStatus.PROCESSING,
        progress=JobProgress(percent=1, message=str(time.monotonic())),
        timestamp=number,
    )
    return encode_update(update)
