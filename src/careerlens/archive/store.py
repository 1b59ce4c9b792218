"""The archive: every job's last known state, in SQL, for as long as it is kept.

One transaction writes a group of rows *and* how far the queue's event stream has been read, so
that each event counts once whatever dies in between: see `writing`.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import ColumnElement, Select, delete, literal, select, text, tuple_

from careerlens.archive.database import Database
from careerlens.archive.records import ArchivedJob, HistoryCursor, HistoryPage
from careerlens.archive.rows import owner_hash, to_job
from careerlens.archive.tables import cursors, erased_users, jobs, late_outcomes
from careerlens.archive.writing import write_group
from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

MAX_PAGE = 200
_DELETE_AT_ONCE = 500


def _in_time(
    method: Callable[Concatenate[ArchiveStore, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[ArchiveStore, P], Coroutine[Any, Any, T]]:
    """Have the method answer in time; see `Database.in_time`."""
    what = method.__name__.strip("_").replace("_", " ")

    @functools.wraps(method)
    async def call(self: ArchiveStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.in_time(what, method(self, *args, **kwargs))

    return call


class ArchiveStore:
    """The archive in one database, SQLite or PostgreSQL. Made once per process; share it.

    Nothing is opened before the first call, which also brings the schema up, so a database that
    is away delays no start. Every call answers within `timeout_s` seconds (one that works in
    steps: each step) and raises `ServiceUnavailableError("archive", …)` when the database does
    not; a write that was given up may still have been done.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        self.database = Database(url, timeout_s=timeout_s)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The archive that `DATABASE_URL` names, else a SQLite file in the home folder."""
        return cls(settings.archive_url())

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.database.dialect

    @_in_time
    async def open(self) -> None:
        """Reach the database and bring its schema up. Calling it again does nothing.

        Every other call does so by itself; call this to learn of trouble early.
        """
        await self.database.open()

    async def close(self) -> None:
        """Let what is under way end, and give the connections back. A later call opens new ones."""
        await self.database.close()

    @_in_time
    async def check(self) -> None:
        """Raise `ServiceUnavailableError` unless the database answers now."""
        async with self.database.reading("a health check") as connection:
            await connection.execute(text("SELECT 1"))

    # -- writing -----------------------------------------------------------------------------

    @_in_time
    async def record(
        self, rows: Sequence[ArchivedJob], *, queue: str, position: str, previous: str | None
    ) -> None:
        """Keep `rows` and move the queue's position from `previous` to `position`, or neither.

        The newest of several rows for one job counts. A final job changes no more, unless its
        row says that it was reopened. Raises `StalePositionError` when the stored position is
        not `previous` (another recorder was here), `RowsRefusedError` when a row can never be
        written.
        """
        await write_group(self.database, rows, queue=queue, position=position, previous=previous)

    # -- reading -----------------------------------------------------------------------------

    @_in_time
    async def position(self, queue: str) -> str | None:
        """The id of the last entry of the queue's event stream that is recorded."""
        async with self.database.reading("reading a position") as connection:
            found = await connection.execute(
                select(cursors.c.position).where(cursors.c.queue == queue)
            )
            position: str | None = found.scalar_one_or_none()
            return position

    @_in_time
    async def get(self, job_id: str, *, owner: str | None = None) -> ArchivedJob | None:
        """The newest job of this id, and of this owner if one is given; None when unknown.

        A caller that answers a user names the owner: a foreign producer's ids, small numbers
        say, can mean different people's jobs.
        """
        wanted = select(jobs).where(jobs.c.job_id == job_id)
        if owner is not None:
            wanted = wanted.where(jobs.c.owner == owner)
        async with self.database.reading("reading a job") as connection:
            found = await connection.execute(wanted.order_by(jobs.c.created_ms.desc()).limit(1))
            row = found.one_or_none()
        return None if row is None else to_job(row)

    @_in_time
    async def known(self, queue: str, job_ids: Iterable[str]) -> dict[str, ArchivedJob]:
        """The newest job of each of these ids in `queue`, as far as there is one."""
        wanted = select(jobs).where(jobs.c.queue == queue, jobs.c.job_id.in_(list(job_ids)))
        async with self.database.reading("reading jobs") as connection:
            found = await connection.execute(wanted.order_by(jobs.c.created_ms))
            return {row.job_id: to_job(row) for row in found}

    @_in_time
    async def unfinished(
        self, queue: str, *, limit: int = MAX_PAGE, after: ArchivedJob | None = None
    ) -> list[ArchivedJob]:
        """Jobs of `queue` without an outcome, oldest first, from behind `after`."""
        wanted = select(jobs).where(jobs.c.queue == queue, jobs.c.finished_ms.is_(None))
        if after is not None:
            wanted = wanted.where(
                tuple_(jobs.c.created_ms, jobs.c.job_id)
                > tuple_(literal(after.created_ms), literal(after.job_id))
            )
        wanted = wanted.order_by(jobs.c.created_ms, jobs.c.job_id).limit(limit)
        async with self.database.reading("reading unfinished jobs") as connection:
            return [to_job(row) for row in await connection.execute(wanted)]

    @_in_time
    async def history(
        self, owner: str, *, limit: int = 50, cursor: str | None = None
    ) -> HistoryPage:
        """One page of a user's jobs, newest first.

        `limit` is 1 to 200; `cursor` is the `next_cursor` of the page before. The cost is that
        of one page, however long the history is, and jobs that arrive meanwhile shift nothing.
        Raises `InvalidInputError` for a cursor that we did not make.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"limit must be from 1 to {MAX_PAGE}, not {limit}")
        wanted = _history_of(owner, None if cursor is None else HistoryCursor.parse(cursor))
        async with self.database.reading("reading history") as connection:
            found = [to_job(row) for row in await connection.execute(wanted.limit(limit + 1))]
        items = found[:limit]
        more = len(found) > limit
        return HistoryPage(
            items=items, next_cursor=str(HistoryCursor.after(items[-1])) if more else None
        )

    # -- keeping no longer than needed ---------------------------------------------------------

    async def export_user(self, owner: str) -> AsyncIterator[ArchivedJob]:
        """Everything kept about a user's jobs, newest first, read page by page."""
        cursor: str | None = None
        while True:
            page = await self.history(owner, limit=MAX_PAGE, cursor=cursor)
            for job in page.items:
                yield job
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def erase_user(self, owner: str, *, now_ms: int | None = None) -> int:
        """Forget every job of `owner` and say how many there were.

        Jobs created up to now stay forgotten even if a straggling worker ends one later: a hash
        of the user's id remains to know them by.
        """
        erased_ms = epoch_ms() if now_ms is None else now_ms
        await self._note_erased(owner, erased_ms)
        erased = await self._delete_in_steps(jobs, jobs.c.owner == owner)
        await self._delete_in_steps(late_outcomes, late_outcomes.c.owner == owner)
        return erased

    async def prune(self, *, older_than_ms: int) -> int:
        """Forget jobs that ended before `older_than_ms` and say how many. Others are kept."""
        await self._delete_in_steps(late_outcomes, late_outcomes.c.finished_ms < older_than_ms)
        return await self._delete_in_steps(jobs, jobs.c.finished_ms < older_than_ms)

    @_in_time
    async def _note_erased(self, owner: str, erased_ms: int) -> None:
        statement = self.database.insert(erased_users).values(
            owner_hash=owner_hash(owner), erased_ms=erased_ms
        )
        statement = statement.on_conflict_do_update(
            index_elements=[erased_users.c.owner_hash],
            set_={"erased_ms": statement.excluded.erased_ms},
        )
        async with self.database.writing("erasing a user") as connection:
            await connection.execute(statement)

    async def _delete_in_steps(self, table: Any, condition: ColumnElement[bool]) -> int:
        # Short transactions, so that the recorder's turn comes in between.
        total = 0
        while (gone := await self._delete_some(table, condition)) == _DELETE_AT_ONCE:
            total += gone
        return total + gone

    @_in_time
    async def _delete_some(self, table: Any, condition: ColumnElement[bool]) -> int:
        key = tuple_(*table.primary_key.columns)
        some = select(*table.primary_key.columns).where(condition).limit(_DELETE_AT_ONCE)
        async with self.database.writing("deleting") as connection:
            return (await connection.execute(delete(table).where(key.in_(some)))).rowcount


def _history_of(owner: str, cursor: HistoryCursor | None) -> Select[Any]:
    wanted = select(jobs).where(jobs.c.owner == owner)
    order = (jobs.c.created_ms, jobs.c.queue, jobs.c.job_id)
    if cursor is not None:
        place = (cursor.created_ms, cursor.queue, cursor.job_id)
        wanted = wanted.where(tuple_(*order) < tuple_(*map(literal, place)))
    return wanted.order_by(*(column.desc() for column in order))
