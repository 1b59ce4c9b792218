"""Follows every queue's event stream and keeps what happened in the archive.

 for each queue:  read from the stored position ──▶ look the jobs up ──▶ one transaction:
                        ▲   at most each 200 ms,                        rows and position
                        │   at most 2,000 events                              │
                        └──────────────────────────────────────────────◀──────┘

The event stream is the outbox: while the database is away nothing is read, and nothing is lost
as long as the stream reaches back to the stored position. Where it does not (it was trimmed, or
the server came back from an older copy), the queue's own sets say what was missed.

`run_recorder` may run in any number of processes; a lease lets one of them work. What guards the
rows is the position: who writes names the one they read, and the database takes one of two.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from careerlens.archive.gathering import (
    ASKED_OF_NEW,
    JobNews,
    gather_news,
    row_from_events,
    row_from_queue,
    row_of_new,
)
from careerlens.archive.records import ArchivedJob
from careerlens.archive.store import ArchiveStore
from careerlens.archive.writing import RowsRefusedError, StalePositionError
from careerlens.foundation.cancellation import heed_cancellation
from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.foundation.settings import Settings
from careerlens.jobs.ids import parse_job_id
from careerlens.jobs.queues import used_queues
from careerlens.queue import Queue, QueueState
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.events import START, EventReader, EventStreams, Gap, QueueEvent
from careerlens.wire.lease import Lease, LeaseLostError
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link

LEASE_KEY = "careerlens:recorder"
GROUP_EVERY_S = 0.2
FULL_GROUP = 2_000
_IDLE_POSITION_EVERY_S = 1.0
_LOOK_FOR_QUEUES_EVERY_S = 5.0
_PRUNE_EVERY_S = 3600.0
_LONGEST_PAUSE_S = 5.0
_LOOKED_UP_AT_ONCE = 100
# The worker stamps an outcome by its own clock, the stream by the server's.
_CLOCK_SLACK_MS = 3_600_000

_log = get_logger("careerlens.archive")


@dataclass(frozen=True, kw_only=True, slots=True)
class RecorderOptions:
    """`keep_days`: forget jobs that ended longer ago; None keeps them for good."""

    prefix: str = "bull"
    lease_ttl_s: float = 6.0
    keep_days: int | None = None


class QueueRecorder:
    """Records one queue, for as long as it is let."""

    def __init__(
        self, queue: Queue, *, streams: EventStreams, link: Link, store: ArchiveStore
    ) -> None:
        self._queue = queue
        self._streams = streams
        self._link = link
        self._store = store
        self._stored: str | None = None
        self._written_at = 0.0

    async def run(self) -> None:
        """Record for ever, waiting out the database and Redis, from the stored position on."""
        pause = 0.0
        while True:
            started = time.monotonic()
            try:
                await self._follow()
            except StalePositionError:
                _log.warning("position_moved_by_another_recorder", queue=self._queue.name)
            except (ServiceUnavailableError, CommandRejectedError) as error:
                _log.warning("recording_waits", queue=self._queue.name, problem=str(error))
            if time.monotonic() - started > _LONGEST_PAUSE_S:
                pause = 0.0
            pause = min(max(pause * 2, GROUP_EVERY_S), _LONGEST_PAUSE_S)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter only)

    async def _follow(self) -> None:
        self._stored = await self._store.position(self._queue.name)
        position = self._stored or START
        reader = EventReader(self._streams, self._queue.keys, position, batch=FULL_GROUP)
        async for item in reader:
            began = time.monotonic()
            if isinstance(item, Gap):
                await self._make_up_for(item)
            else:
                await self._record(item)
            if isinstance(item, Gap) or len(item) < FULL_GROUP:
                # Whatever happens meanwhile comes in one group.
                await asyncio.sleep(max(0.0, began + GROUP_EVERY_S - time.monotonic()))

    async def _record(self, events: Sequence[QueueEvent]) -> None:
        news = gather_news(events)
        rows = await self._rows(news) if news else []
        position = events[-1].id
        if rows or time.monotonic() - self._written_at > _IDLE_POSITION_EVERY_S:
            await self._write(rows, position)

    async def _rows(self, news: dict[str, JobNews]) -> list[ArchivedJob]:
        rows, gone = await self._look_up(news)
        known = await self._store.known(self._queue.name, gone) if gone else {}
        for job_id in gone:
            row = row_from_events(self._queue.name, news[job_id], known.get(job_id))
            if row is not None:
                rows.append(row)
            elif news[job_id].ending is not None and job_id not in known:
                _log.warning("job_left_before_it_was_seen", queue=self._queue.name, job_id=job_id)
        return rows

    async def _look_up(self, news: dict[str, JobNews]) -> tuple[list[ArchivedJob], list[str]]:
        """Rows of the jobs that the queue still has, and the ids of the others."""
        rows: list[ArchivedJob] = []
        gone: list[str] = []
        new = [i for i, told in news.items() if told.is_new and parse_job_id(i) is not None]
        for ids in _chunks(new):
            asked = [("HMGET", self._queue.keys.job(job_id), *ASKED_OF_NEW) for job_id in ids]
            for job_id, fields in zip(ids, await self._link.call_many(asked), strict=True):
                row = row_of_new(self._queue.name, job_id, fields)
                if row is None:
                    gone.append(job_id)
                else:
                    rows.append(row)
        for ids in _chunks(list(news.keys() - set(new))):
            found = await self._queue.jobs_and_states(ids)
            for job_id, (record, state) in zip(ids, found, strict=True):
                if record is None or record.name is None or state is QueueState.UNKNOWN:
                    gone.append(job_id)
                else:
                    rows.append(
                        row_from_queue(
                            self._queue.name,
                            record,
                            state,
                            reopened=news[job_id].reopened,
                        )
                    )
        return rows, gone

    async def _write(self, rows: Sequence[ArchivedJob], position: str) -> None:
        try:
            await self._store.record(
                rows, queue=self._queue.name, position=position, previous=self._stored
            )
        except RowsRefusedError as error:
            await self._write_what_is_accepted(rows, position, error)
        self._stored = position
        self._written_at = time.monotonic()

    async def _write_what_is_accepted(
        self, rows: Sequence[ArchivedJob], position: str, error: RowsRefusedError
    ) -> None:
        """One row that the database never takes must not keep all others out for ever."""
        if len(rows) <= 1:
            _log.error(
                "job_not_archived",
                queue=self._queue.name,
                job_id=rows[0].job_id if rows else None,
                problem=str(error),
            )
            await self._write([], position)
            return
        middle = len(rows) // 2
        # The position may only move with the last part: until then it is written as it stands.
        for part in (rows[:middle], rows[middle:]):
            await self._write(
                part, self._stored or START if part is not rows[middle:] else position
            )

    # -- gaps ----------------------------------------------------------------------------------

    async def _make_up_for(self, gap: Gap) -> None:
        """Record what the missing entries would have told: how jobs ended meanwhile."""
        _log.warning(
            "events_missed",
            queue=self._queue.name,
            kind=gap.kind.value,
            after=gap.after,
            resumed_at=gap.resumed_at,
        )
        recorded = 0
        async for ids in self._possibly_missed(gap):
            rows, _ = await self._look_up({job_id: JobNews(job_id) for job_id in ids})
            await self._write(rows, self._stored or START)
            recorded += len(rows)
        await self._write([], gap.resumed_at)
        _log.info("missed_events_made_up_for", queue=self._queue.name, jobs=recorded)

    async def _possibly_missed(self, gap: Gap) -> AsyncIterator[list[str]]:
        last: ArchivedJob | None = None
        while unfinished := await self._store.unfinished(self._queue.name, after=last):
            for ids in _chunks([job.job_id for job in unfinished]):
                yield ids
            last = unfinished[-1]
        since_ms = max(int(gap.after.partition("-")[0]) - _CLOCK_SLACK_MS, 0)
        for key in (self._queue.keys.completed, self._queue.keys.failed):
            ended = await self._link.call("ZRANGEBYSCORE", key, since_ms, "+inf")
            for ids in _chunks([member.decode(errors="replace") for member in ended]):
                yield ids


class Recorder:
    """Records all queues while it holds the lease, and stands by while somebody else does."""

    def __init__(
        self,
        redis_url: str,
        queues: Iterable[str],
        store: ArchiveStore,
        options: RecorderOptions | None = None,
    ) -> None:
        self._url = redis_url
        self._queues = frozenset(queues)
        self._store = store
        self._options = options or RecorderOptions()

    async def run(self) -> None:
        """Take the lease, record, and start over when it is lost; until cancelled."""
        # It connects when it is used: an absent Redis is waited out by whoever needs it.
        link = open_link(self._url, name="careerlens:recorder")
        lease = Lease(link, LEASE_KEY, duration_s=self._options.lease_ttl_s)
        try:
            while True:
                await self._stand_by(lease)
                _log.info("recorder_started")
                try:
                    await self._record_all(link, lease)
                except* LeaseLostError as lost:
                    _log.warning("recorder_stands_by", problem=str(lost.exceptions[0]))
                finally:
                    await asyncio.shield(lease.release())
                heed_cancellation()
        finally:
            await link.close()

    async def _stand_by(self, lease: Lease) -> None:
        """Return when the lease is ours, however long that takes, an absent Redis included."""
        while True:
            try:
                if await lease.acquire():
                    return
            except (ServiceUnavailableError, CommandRejectedError) as error:
                _log.warning("recorder_waits", problem=str(error))
            await asyncio.sleep(lease.duration_s / 3)

    async def _record_all(self, link: Link, lease: Lease) -> None:
        streams = EventStreams(self._url, name="careerlens:recorder")
        async with streams, asyncio.TaskGroup() as group:
            group.create_task(lease.keep(), name="recorder lease")
            group.create_task(self._prune_now_and_then(), name="recorder prune")
            started: set[str] = set()
            while True:
                for name in sorted(await self._queue_names(link) - started):
                    started.add(name)
                    queue = Queue(name, link, prefix=self._options.prefix)
                    recorder = QueueRecorder(queue, streams=streams, link=link, store=self._store)
                    group.create_task(recorder.run(), name=f"recorder {name}")
                await asyncio.sleep(_LOOK_FOR_QUEUES_EVERY_S)

    async def _queue_names(self, link: Link) -> frozenset[str]:
        try:
            return self._queues | await used_queues(link)
        except (ServiceUnavailableError, CommandRejectedError) as error:
            _log.info("queues_not_listed", problem=str(error))
            return self._queues

    async def _prune_now_and_then(self) -> None:
        keep_days = self._options.keep_days
        while keep_days is not None:
            older_than_ms = epoch_ms() - keep_days * 86_400_000
            try:
                pruned = await self._store.prune(older_than_ms=older_than_ms)
                _log.info("archive_pruned", jobs=pruned, keep_days=keep_days)
            except ServiceUnavailableError as error:
                _log.warning("archive_not_pruned", problem=str(error))
            await asyncio.sleep(_PRUNE_EVERY_S)


async def run_recorder(
    settings: Settings, redis_url: str, registry_queue_names: Iterable[str], store: ArchiveStore
) -> None:
    """Keep the archive up to date until cancelled: one task of any process that serves.

    The queues are those named and those that have ever been used. Redis or the database being
    away is waited out.
    """
    options = RecorderOptions(prefix=settings.queue_prefix, keep_days=settings.archive_days)
    await Recorder(redis_url, registry_queue_names, store, options).run()


def _chunks(ids: Sequence[str]) -> Iterable[list[str]]:
    for start in range(0, len(ids), _LOOKED_UP_AT_ONCE):
        yield list(ids[start : start + _LOOKED_UP_AT_ONCE])
