"""The index of each user's live jobs, so that a list costs its owner's jobs and nobody else's.

A job is entered before it is in line, so that it is never missed. It leaves when its end is told;
entries whose end was missed are found, and dropped, by whoever reads the list next.
"""

from __future__ import annotations

from typing import NamedTuple

from careerlens.foundation.clock import epoch_ms
from careerlens.jobs.finding import FoundJob, JobFinder
from careerlens.jobs.ids import JobId
from careerlens.jobs.keys import live_key, live_member, split_live_member
from careerlens.jobs.owner import owner_of
from careerlens.queue import Standing
from careerlens.wire.connection import Arg
from careerlens.wire.link import Link

_INDEX_SECONDS = 30 * 86_400
_UNSEEN_GRACE_MS = 60_000
_PAGE = 100


class _Entry(NamedTuple):
    queue: str
    job_id: str
    entered_ms: int


class LiveIndex:
    """Which jobs of a user have not ended."""

    def __init__(self, link: Link, finder: JobFinder) -> None:
        self._link = link
        self._finder = finder

    def entering(self, user_id: str, job_type: str, job_id: JobId) -> list[tuple[Arg, ...]]:
        """The commands that put a job of ours into its owner's index. Harmless to repeat."""
        key = live_key(user_id)
        member = live_member(job_type, str(job_id))
        return [("ZADD", key, job_id.created_at_ms, member), ("EXPIRE", key, _INDEX_SECONDS)]

    async def leave(self, user_id: str, queue: str, job_id: str) -> None:
        """Take a job that has ended out of its owner's index."""
        await self._link.call("ZREM", live_key(user_id), live_member(queue, job_id))

    async def jobs(self, user_id: str, limit: int) -> list[FoundJob]:
        """The user's jobs that have not ended, newest first, at most `limit`."""
        live: list[FoundJob] = []
        offset = 0
        while len(live) < limit:
            page = await self._page(user_id, offset)
            found, gone = await self._look_at(user_id, page)
            live += found
            if gone:
                await self._link.call("ZREM", live_key(user_id), *gone)
            if len(page) < _PAGE:
                break
            offset += _PAGE - len(gone)
        return live[:limit]

    async def _page(self, user_id: str, offset: int) -> list[_Entry]:
        entries = await self._link.call(
            "ZREVRANGE", live_key(user_id), offset, offset + _PAGE - 1, "WITHSCORES"
        )
        return [
            _Entry(*split_live_member(member.decode()), int(float(score)))
            for member, score in zip(entries[::2], entries[1::2], strict=True)
        ]

    async def _look_at(self, user_id: str, page: list[_Entry]) -> tuple[list[FoundJob], list[str]]:
        """The live jobs on a page of the index, and members that are so no more."""
        read = await self._read(page)
        live: list[FoundJob] = []
        gone: list[str] = []
        grace_ends = epoch_ms() - _UNSEEN_GRACE_MS
        for queue, job_id, entered_ms in page:
            record, state, place = read[queue, job_id]
            if record is None or record.name is None:
                # It may be on its way into the queue.
                if entered_ms < grace_ends:
                    gone.append(live_member(queue, job_id))
            elif state.is_final or owner_of(job_id, record.data) != user_id:
                gone.append(live_member(queue, job_id))
            else:
                live.append(FoundJob(self._finder.queue(queue), record, state, place))
        return live, gone

    async def _read(self, page: list[_Entry]) -> dict[tuple[str, str], Standing]:
        by_queue: dict[str, list[str]] = {}
        for entry in page:
            by_queue.setdefault(entry.queue, []).append(entry.job_id)
        found: dict[tuple[str, str], Standing] = {}
        for queue, job_ids in by_queue.items():
            read = await self._finder.queue(queue).standings(job_ids)
            found.update({(queue, id_): each for id_, each in zip(job_ids, read, strict=True)})
        return found
