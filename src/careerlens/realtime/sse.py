"""A user's feed over HTTP, as server-sent events that `curl -N` shows as they come.

    event: job:update       an entry of the feed
    event: resync           entries are missing before this one: ask for the jobs again
    event: job:status       of a stream about one job: where it stands when the stream begins, and
                            in place of a resync; without `id:`, that it has moved up in line
    : ping                  every 15 s, so that nothing on the way takes silence for death

`id:` is a place in the user's feed: sent back as `Last-Event-ID`, either stream goes on after it.
A stream about one job ends after the event that ends the job.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from careerlens.foundation.errors import JobNotFoundError, ServiceUnavailableError
from careerlens.jobs.endings import is_last
from careerlens.jobs.manager import JobManager
from careerlens.jobs.model import JobStatus, JobStatusResponse, QueuePlace
from careerlens.realtime.entries import Entry, KeptUpdate, Resync, is_position
from careerlens.realtime.feed import Feed, Page
from careerlens.wire.errors import CommandRejectedError

PING_INTERVAL_S = 15.0
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
_PING = b": ping\n\n"


async def feed_stream(
    feed: Feed,
    user_id: str,
    last_event_id: str | None = None,
    *,
    ping_interval_s: float = PING_INTERVAL_S,
) -> AsyncGenerator[bytes, None]:
    """Await this to begin; it returns the stream of all jobs, to be sent with `HEADERS`.

    `last_event_id` is the header's value, whatever it is; without one, what happens from now on
    is told. It begins with where it begins, so that a client which is cut off before the first
    event can resume as well. Raises what Redis's failures raise.
    """
    if last_event_id is not None and is_position(last_event_id):
        return _feed_stream(feed, user_id, last_event_id, None, ping_interval_s)
    end = await feed.position(user_id)
    resync = Resync(id=end, reason="position_malformed") if last_event_id is not None else None
    return _feed_stream(feed, user_id, end, resync, ping_interval_s)


async def _feed_stream(
    feed: Feed, user_id: str, position: str, resync: Resync | None, ping_interval_s: float
) -> AsyncGenerator[bytes, None]:
    yield f": what happens after\nid: {position}\n\n".encode()
    if resync is not None:
        yield _told(resync)
    async with aclosing(_with_pauses(feed, user_id, position, ping_interval_s)) as entries:
        async for entry in entries:
            yield _PING if entry is None else _delivered(feed, entry)


async def _with_pauses(
    feed: Feed, user_id: str, position: str, pause_s: float
) -> AsyncGenerator[Entry | None, None]:
    """The feed after `position`; None whenever nothing has come for so long."""
    entries = feed.follow(user_id, position)
    upcoming = asyncio.ensure_future(anext(entries))
    try:
        while True:
            await asyncio.wait({upcoming}, timeout=pause_s)
            if not upcoming.done():
                yield None
                continue
            entry = upcoming.result()
            upcoming = asyncio.ensure_future(anext(entries))
            yield entry
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
        await entries.aclose()


async def event_stream(
    feed: Feed,
    manager: JobManager,
    user_id: str,
    job_id: str,
    last_event_id: str | None = None,
    *,
    ping_interval_s: float = PING_INTERVAL_S,
) -> AsyncGenerator[bytes, None]:
    """As `feed_stream`, of one job.

    A `last_event_id` that is no place in this user's feed counts as none, and the snapshot that
    every stream begins with tells what was missed.

    Raises `JobNotFoundError` when the job is not this user's, and what Redis's failures raise.
    """
    position = await _starting_point(feed, user_id, last_event_id)
    # The place first: what happens after it is told by the feed, so nothing falls between.
    status = await manager.get_job_status(job_id, user_id)
    return _JobStream(feed, manager, user_id, job_id, ping_interval_s).run(position, status)


class _JobStream:
    def __init__(
        self,
        feed: Feed,
        manager: JobManager,
        user_id: str,
        job_id: str,
        ping_interval_s: float,
    ) -> None:
        self._feed = feed
        self._manager = manager
        self._user_id = user_id
        self._job_id = job_id
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
                if isinstance(entry, KeptUpdate) and entry.job_id == self._job_id:
                    yield _delivered(self._feed, entry)

    async def _live(self, position: str) -> AsyncGenerator[bytes, None]:
        entries = _with_pauses(self._feed, self._user_id, position, self._ping_interval_s)
        async with aclosing(entries):
            async for entry in entries:
                if entry is None:
                    yield _PING
                    if (moved := await self._moved_in_line()) is not None:
                        yield moved
                elif isinstance(entry, Resync):
                    status = await self._manager.get_job_status(self._job_id, self._user_id)
                    yield self._told(entry.id, status)
                    if status.status.is_final:
                        return
                elif entry.job_id == self._job_id:
                    self._is_queued = entry.status is JobStatus.QUEUED
                    yield _delivered(self._feed, entry)
                    if is_last(entry.event):
                        return

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
        except (ServiceUnavailableError, CommandRejectedError, JobNotFoundError):
            return None  # the feed waits for the server too, and tells of a removal
        if status.queue is None or status.queue == self._place:
            return None
        return self._told(None, status)


async def _starting_point(feed: Feed, user_id: str, last_event_id: str | None) -> str:
    if last_event_id is not None and is_position(last_event_id):
        page = await feed.read(user_id, last_event_id, 1)
        if not any(isinstance(entry, Resync) for entry in page.entries):
            return last_event_id
    return await feed.position(user_id)


def _delivered(feed: Feed, entry: Entry) -> bytes:
    """An entry that was read from the feed, as it is sent."""
    feed.delivered += 1
    return _told(entry)


def _told(entry: Entry) -> bytes:
    if isinstance(entry, Resync):
        return _event("resync", entry.id, json.dumps(entry.as_wire()))
    return _event("job:update", entry.id, entry.json_text)


def _event(name: str, event_id: str | None, data: str) -> bytes:
    # JSON text holds no line breaks, so one data line is enough.
    where = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{where}data: {data}\n\n".encode()
