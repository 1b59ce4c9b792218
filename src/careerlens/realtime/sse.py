"""One job's events over HTTP, as server-sent events that `curl -N` shows as they come.

    event: job:status       where the job stands when the stream begins, and after a gap; without
                            `id:`, that it has moved up in line
    event: job:update       each entry of the owner's feed about this job
    : ping                  every 15 s, so that nothing on the way takes silence for death

`id:` is a place in the owner's feed: sent back as `Last-Event-ID`, the stream goes on after it.
The stream ends after the event that ends the job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from careerlens.foundation.errors import JobNotFoundError, ServiceUnavailableError
from careerlens.jobs.endings import is_last
from careerlens.jobs.manager import JobManager
from careerlens.jobs.model import JobStatus, JobStatusResponse, JobUpdate, QueuePlace
from careerlens.realtime.entries import Resync, is_position
from careerlens.realtime.feed import Feed, Page

PING_INTERVAL_S = 15.0
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
_PING = b": ping\n\n"


async def event_stream(
    feed: Feed,
    manager: JobManager,
    user_id: str,
    job_id: str,
    last_event_id: str | None = None,
    *,
    ends_at: float | None = None,
    ping_interval_s: float = PING_INTERVAL_S,
) -> AsyncGenerator[bytes, None]:
    """Await this to begin; it returns the stream, to be sent with `HEADERS`.

    `last_event_id` is the header's value, whatever it is: one that is no place in this user's
    feed counts as none, and the snapshot that every stream begins with tells what was missed.
    `ends_at` (epoch seconds) is when the caller's token expires, and the stream with it.

    Raises `JobNotFoundError` when the job is not this user's, and what Redis's failures raise.
    """
    position = await _starting_point(feed, user_id, last_event_id)
    # The place first: what happens after it is told by the feed, so nothing falls between.
    status = await manager.get_job_status(job_id, user_id)
    return _JobStream(feed, manager, user_id, job_id, ends_at, ping_interval_s).run(
        position, status
    )


class _JobStream:
    def __init__(
        self,
        feed: Feed,
        manager: JobManager,
        user_id: str,
        job_id: str,
        ends_at: float | None,
        ping_interval_s: float,
    ) -> None:
        self._feed = feed
        self._manager = manager
        self._user_id = user_id
        self._job_id = job_id
        self._ends_at = ends_at
        self._ping_interval_s = ping_interval_s
        self._is_queued = False
        self._place: QueuePlace | None = None

    async def run(self, position: str, status: JobStatusResponse) -> AsyncGenerator[bytes, None]:
        yield self._told(position, status)
        if status.status.is_final:
            async for event in self._rest(position):
                yield event
            return
        async with aclosing(self._live(position)) as events:
            async for event in events:
                yield event

    async def _rest(self, position: str) -> AsyncGenerator[bytes, None]:
        """What a client that resumes has missed of a job that has ended."""
        page = Page(entries=[], position=position, is_last=False)
        while not page.is_last:
            page = await self._feed.read_when_reachable(self._user_id, page.position)
            for entry in page.entries:
                if self._is_ours(entry):
                    yield _update(entry)

    async def _live(self, position: str) -> AsyncGenerator[bytes, None]:
        entries = self._feed.follow(self._user_id, position)
        upcoming = asyncio.ensure_future(anext(entries))
        try:
            while (wait_s := self._patience()) > 0:
                await asyncio.wait({upcoming}, timeout=wait_s)
                if not upcoming.done():
                    yield _PING
                    if (moved := await self._moved_in_line()) is not None:
                        yield moved
                    continue
                entry = upcoming.result()
                upcoming = asyncio.ensure_future(anext(entries))
                if isinstance(entry, Resync):
                    status = await self._manager.get_job_status(self._job_id, self._user_id)
                    yield self._told(entry.id, status)
                    if status.status.is_final:
                        return
                elif self._is_ours(entry):
                    self._is_queued = entry.status is JobStatus.QUEUED
                    yield _update(entry)
                    if is_last(entry.event):
                        return
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
            await entries.aclose()

    def _told(self, event_id: str | None, status: JobStatusResponse) -> bytes:
        self._is_queued = status.status is JobStatus.QUEUED
        self._place = status.queue
        return _event("job:status", event_id, status.model_dump_json(by_alias=True))

    async def _moved_in_line(self) -> bytes | None:
        """The job's status, when it waits in line and stands at another place than was told."""
        if not self._is_queued:
            return None
        try:
            status = await self._manager.get_job_status(self._job_id, self._user_id)
        except (ServiceUnavailableError, JobNotFoundError):
            return None  # the feed waits for the server too, and tells of a removal
        if status.queue is None or status.queue == self._place:
            return None
        return self._told(None, status)

    def _patience(self) -> float:
        """Seconds until the next ping is due; 0 once the caller's time is over."""
        if self._ends_at is None:
            return self._ping_interval_s
        return max(0.0, min(self._ping_interval_s, self._ends_at - time.time()))

    def _is_ours(self, entry: JobUpdate | Resync) -> bool:
        return isinstance(entry, JobUpdate) and entry.job_id == self._job_id


async def _starting_point(feed: Feed, user_id: str, last_event_id: str | None) -> str:
    if last_event_id is not None and is_position(last_event_id):
        page = await feed.read(user_id, last_event_id, 1)
        if not any(isinstance(entry, Resync) for entry in page.entries):
            return last_event_id
    return await feed.position(user_id)


def _update(entry: JobUpdate | Resync) -> bytes:
    assert isinstance(entry, JobUpdate), "a resync is told by a snapshot"
    return _event("job:update", entry.id, entry.model_dump_json(by_alias=True))


def _event(name: str, event_id: str | None, data: str) -> bytes:
    # JSON text holds no line breaks, so one data line is enough.
    where = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{where}data: {data}\n\n".encode()
