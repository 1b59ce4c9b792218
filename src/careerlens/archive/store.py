"""The archive: every job's last known state, in SQL, for as long as it is kept.

One transaction writes a group of rows *and* how far the queue's event stream has been read, so
that each event counts once whatever dies in between. The first outcome of a job stands: a second
run of it (its worker was thought dead, Redis came back from an older copy) is kept for audits
and shown to nobody.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    case,
    delete,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from careerlens.archive.database import (
    WRITES,
    create_engine,
    migrate,
    parse_database_url,
    prepare_folder,
)
from careerlens.archive.records import (
    MAX_JOB_ID_BYTES,
    ArchivedJob,
    HistoryCursor,
    HistoryPage,
)
from careerlens.archive.tables import cursors, erased_users, jobs, late_outcomes
from careerlens.foundation.errors import CareerLensError, ServiceUnavailableError
from careerlens.foundation.settings import Settings
from careerlens.jobs.model import JobProgress, JobStatus

P = ParamSpec("P")
T = TypeVar("T")

MAX_PAGE = 200
_DELETE_AT_ONCE = 500
_MAX_INTEGER = 2**31 - 1
_MAX_BIG_INTEGER = 2**63 - 1


class StalePositionError(CareerLensError):
    """Another recorder moved this queue's position; nothing was written. Read it and follow."""


class RowsRefusedError(CareerLensError):
    """The database takes at least one of these rows never; nothing was written."""


class _JobKey(NamedTuple):
    queue: str
    job_id: str
    created_ms: int

    @classmethod
    def of(cls, job: ArchivedJob) -> _JobKey:
        return cls(job.queue, job.job_id, job.created_ms)


def _in_time(
    method: Callable[Concatenate[ArchiveStore, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[ArchiveStore, P], Coroutine[Any, Any, T]]:
    """Wait for a call no longer than the store's patience, and never cut it short.

    A call that is cancelled would leave its connection in the middle of something, and callers
    are often requests whose client has gone away. It runs on by itself and ends soon, since the
    drivers have time limits of their own.
    """
    what = method.__name__.strip("_").replace("_", " ")

    @functools.wraps(method)
    async def call(self: ArchiveStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(method(self, *args, **kwargs), name=f"archive {what}")
        self._under_way.add(task)
        task.add_done_callback(self._is_done)
        done, _ = await asyncio.wait([task], timeout=self._timeout_s)
        if not done:
            problem = f"{what!r} took longer than {self._timeout_s:g} s"
            raise ServiceUnavailableError("archive", problem)
        return task.result()

    return call


class ArchiveStore:
    """The archive in one database, SQLite or PostgreSQL. Made once per process; share it.

    Nothing is opened before the first call, which also brings the schema up, so a database that
    is away delays no start. Every call answers within `timeout_s` seconds (one that works in
    steps: each step) and raises `ServiceUnavailableError("archive", …)` when the database does
    not; a write that was given up may still have been done.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        self._url = parse_database_url(url)
        self._timeout_s = timeout_s
        self._engine: AsyncEngine = create_engine(self._url, timeout_s=timeout_s)
        self._ready = False
        self._opening = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The archive that `DATABASE_URL` names, else a SQLite file in the home folder."""
        return cls(settings.archive_url())

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @_in_time
    async def open(self) -> None:
        """Reach the database and bring its schema up. Calling it again does nothing.

        Every other call does so by itself; call this to learn of trouble early.
        """
        await self._open()

    async def _open(self) -> None:
        async with self._opening:
            if not self._ready:
                with _translated("opening"):
                    await prepare_folder(self._url)
                    await migrate(self._engine)
                self._ready = True

    async def close(self) -> None:
        """Let what is under way end, and give the connections back. A later call opens new ones."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._engine.dispose()

    def _is_done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # heard here if its caller is gone; otherwise raised there

    @_in_time
    async def check(self) -> None:
        """Raise `ServiceUnavailableError` unless the database answers now."""
        async with self._reading("a health check") as connection:
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
        newest = {_JobKey.of(row): row for row in rows if _is_storable(row)}
        try:
            async with self._writing("recording") as connection:
                await self._move_position(connection, queue, position, previous)
                kept = await self._without_erased(connection, list(newest.values()))
                if kept:
                    await self._write_jobs(connection, kept)
        except ServiceUnavailableError as error:
            if _is_fault_of_rows(error.__cause__):
                raise RowsRefusedError(error.problem) from error.__cause__
            raise

    async def _move_position(
        self, connection: AsyncConnection, queue: str, position: str, previous: str | None
    ) -> None:
        if previous is None:
            statement = self._insert_ignoring(cursors).values(queue=queue, position=position)
        else:
            statement = (
                update(cursors)
                .where(cursors.c.queue == queue, cursors.c.position == previous)
                .values(position=position)
            )
        if (await connection.execute(statement)).rowcount != 1:
            raise StalePositionError(
                f"The position of queue {queue!r} is not {previous!r} any more."
            )

    async def _without_erased(
        self, connection: AsyncConnection, rows: Sequence[ArchivedJob]
    ) -> list[ArchivedJob]:
        hashes = {_hash(row.owner) for row in rows if row.owner is not None}
        erased: dict[str, int] = {}
        if hashes:
            found = await connection.execute(
                select(erased_users.c.owner_hash, erased_users.c.erased_ms).where(
                    erased_users.c.owner_hash.in_(hashes)
                )
            )
            erased = {row.owner_hash: row.erased_ms for row in found}
        if not erased:
            return list(rows)
        return [
            row
            for row in rows
            if row.owner is None or row.created_ms > erased.get(_hash(row.owner), -1)
        ]

    async def _write_jobs(self, connection: AsyncConnection, rows: Sequence[ArchivedJob]) -> None:
        ended = await self._ended_among(connection, rows)
        for row in rows:
            if row.reopens and ended.pop(_JobKey.of(row), None) is not None:
                await self._reopen(connection, _JobKey.of(row))
        late = [
            row
            for row in rows
            if row.finished_ms is not None
            and ended.get(_JobKey.of(row), row.finished_ms) != row.finished_ms
        ]
        if late:
            await connection.execute(
                self._insert_ignoring(late_outcomes), [_late_values(row) for row in late]
            )
        await connection.execute(self._upsert_unless_final(), [_values(row) for row in rows])

    async def _reopen(self, connection: AsyncConnection, key: _JobKey) -> None:
        nothing_yet = dict.fromkeys(("finished_ms", "error", "error_code", "result"))
        await connection.execute(
            update(jobs)
            .where(*_is_job(key))
            .values(status=JobStatus.QUEUED.value, attempts_made=0, **nothing_yet)
        )

    async def _ended_among(
        self, connection: AsyncConnection, rows: Sequence[ArchivedJob]
    ) -> dict[_JobKey, int]:
        found = await connection.execute(
            select(jobs.c.queue, jobs.c.job_id, jobs.c.created_ms, jobs.c.finished_ms).where(
                jobs.c.job_id.in_([row.job_id for row in rows]), jobs.c.finished_ms.is_not(None)
            )
        )
        return {_JobKey(row.queue, row.job_id, row.created_ms): row.finished_ms for row in found}

    def _upsert_unless_final(self) -> Any:
        statement = self._insert(jobs)
        new = statement.excluded
        return statement.on_conflict_do_update(
            index_elements=[jobs.c.queue, jobs.c.job_id, jobs.c.created_ms],
            set_={
                "owner": func.coalesce(new.owner, jobs.c.owner),
                "type": new.type,
                "status": new.status,
                "started_ms": func.coalesce(new.started_ms, jobs.c.started_ms),
                "finished_ms": new.finished_ms,
                "attempts_made": _greater(new.attempts_made, jobs.c.attempts_made),
                "max_attempts": _greater(new.max_attempts, jobs.c.max_attempts),
                "error": new.error,
                "error_code": new.error_code,
                "progress": func.coalesce(new.progress, jobs.c.progress),
                "result": new.result,
            },
            where=jobs.c.finished_ms.is_(None),
        )

    def _insert(self, table: Any) -> Any:
        return (postgresql if self.dialect == "postgresql" else sqlite).insert(table)

    def _insert_ignoring(self, table: Any) -> Any:
        return self._insert(table).on_conflict_do_nothing()

    # -- reading -----------------------------------------------------------------------------

    @_in_time
    async def position(self, queue: str) -> str | None:
        """The id of the last entry of the queue's event stream that is recorded."""
        async with self._reading("reading a position") as connection:
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
        async with self._reading("reading a job") as connection:
            found = await connection.execute(wanted.order_by(jobs.c.created_ms.desc()).limit(1))
            row = found.one_or_none()
        return None if row is None else _to_job(row)

    @_in_time
    async def known(self, queue: str, job_ids: Iterable[str]) -> dict[str, ArchivedJob]:
        """The newest job of each of these ids in `queue`, as far as there is one."""
        wanted = select(jobs).where(jobs.c.queue == queue, jobs.c.job_id.in_(list(job_ids)))
        async with self._reading("reading jobs") as connection:
            found = await connection.execute(wanted.order_by(jobs.c.created_ms))
            return {row.job_id: _to_job(row) for row in found}

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
        async with self._reading("reading unfinished jobs") as connection:
            return [_to_job(row) for row in await connection.execute(wanted)]

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
        async with self._reading("reading history") as connection:
            found = [_to_job(row) for row in await connection.execute(wanted.limit(limit + 1))]
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
        erased_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
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
        statement = self._insert(erased_users).values(owner_hash=_hash(owner), erased_ms=erased_ms)
        statement = statement.on_conflict_do_update(
            index_elements=[erased_users.c.owner_hash],
            set_={"erased_ms": statement.excluded.erased_ms},
        )
        async with self._writing("erasing a user") as connection:
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
        async with self._writing("deleting") as connection:
            return (await connection.execute(delete(table).where(key.in_(some)))).rowcount

    # -- connections ---------------------------------------------------------------------------

    @asynccontextmanager
    async def _reading(self, what: str) -> AsyncIterator[AsyncConnection]:
        await self._open()
        with _translated(what):
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def _writing(self, what: str) -> AsyncIterator[AsyncConnection]:
        await self._open()
        with _translated(what):
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(**WRITES)
                async with connection.begin():
                    yield connection


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise ServiceUnavailableError("archive", f"{what}: no answer in time") from None
    except (SQLAlchemyError, OSError) as error:
        raise ServiceUnavailableError("archive", f"{what}: {_first_line(error)}") from error


def _history_of(owner: str, cursor: HistoryCursor | None) -> Select[Any]:
    wanted = select(jobs).where(jobs.c.owner == owner)
    order = (jobs.c.created_ms, jobs.c.queue, jobs.c.job_id)
    if cursor is not None:
        place = (cursor.created_ms, cursor.queue, cursor.job_id)
        wanted = wanted.where(tuple_(*order) < tuple_(*map(literal, place)))
    return wanted.order_by(*(column.desc() for column in order))


def _is_job(key: _JobKey) -> tuple[ColumnElement[bool], ...]:
    return (
        jobs.c.queue == key.queue,
        jobs.c.job_id == key.job_id,
        jobs.c.created_ms == key.created_ms,
    )


def _greater(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


def _is_storable(job: ArchivedJob) -> bool:
    return len(job.job_id.encode("utf-8", "replace")) <= MAX_JOB_ID_BYTES and all(
        text is None or text == _storable_text(text) for text in (job.queue, job.job_id, job.owner)
    )


def _values(job: ArchivedJob) -> dict[str, Any]:
    return {
        "queue": job.queue,
        "job_id": job.job_id,
        "created_ms": _bounded_ms(job.created_ms),
        "owner": job.owner,
        "type": _storable_text(job.type),
        "status": job.status.value,
        "started_ms": _bounded_ms(job.started_ms),
        "finished_ms": _bounded_ms(job.finished_ms),
        "attempts_made": min(job.attempts_made, _MAX_INTEGER),
        "max_attempts": min(job.max_attempts, _MAX_INTEGER),
        "error": _storable_text(job.error),
        "error_code": _storable_text(job.error_code),
        "progress": None if job.progress is None else _to_json(job.progress.model_dump()),
        "result": None if job.result is None else _to_json(job.result),
    }


def _late_values(job: ArchivedJob) -> dict[str, Any]:
    values = _values(job)
    return {name: values[name] for name in late_outcomes.columns.keys()}  # noqa: SIM118


def _bounded_ms(value: int | None) -> int | None:
    return None if value is None else max(-_MAX_BIG_INTEGER, min(value, _MAX_BIG_INTEGER))


def _storable_text(value: str | None) -> str | None:
    # PostgreSQL knows neither NUL nor half of a surrogate pair; a foreign worker may send both.
    if value is None:
        return None
    return value.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _to_json(value: Any) -> str:
    # Escaped to ASCII, which every database takes as it is.
    return json.dumps(value, separators=(",", ":"))


def _to_job(row: Row[Any]) -> ArchivedJob:
    return ArchivedJob(
        queue=row.queue,
        job_id=row.job_id,
        created_ms=row.created_ms,
        owner=row.owner,
        type=row.type,
        status=JobStatus(row.status),
        started_ms=row.started_ms,
        finished_ms=row.finished_ms,
        attempts_made=row.attempts_made,
        max_attempts=row.max_attempts,
        error=row.error,
        error_code=row.error_code,
        progress=None if row.progress is None else JobProgress(**json.loads(row.progress)),
        result=None if row.result is None else json.loads(row.result),
    )


def _hash(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()


def _is_fault_of_rows(error: BaseException | None) -> bool:
    if isinstance(error, (DataError, IntegrityError)):
        return True
    # SQLSTATE classes: data exception, integrity violation, a limit of the program exceeded.
    sqlstate = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return str(sqlstate)[:2] in {"22", "23", "54"}


def _first_line(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return (str(cause) or type(cause).__name__).splitlines()[0]
