"""Writing a group of rows together with how far the queue's event stream has been read.

The first outcome of a job stands: what a second run of it says (its worker was thought dead,
Redis came back from an older copy) is kept for audits and shown to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from careerlens.archive.database import Database
from careerlens.archive.records import ArchivedJob
from careerlens.archive.rows import is_storable, late_values, owner_hash, values
from careerlens.archive.tables import cursors, erased_users, jobs, late_outcomes
from careerlens.foundation.errors import CareerLensError, ServiceUnavailableError
from careerlens.jobs.model import JobStatus


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


async def write_group(
    database: Database,
    rows: Sequence[ArchivedJob],
    *,
    queue: str,
    position: str,
    previous: str | None,
) -> None:
    """Keep `rows` and move the queue's position from `previous` to `position`, or neither.

    See `ArchiveStore.record` for what counts and what is raised.
    """
    newest = {_JobKey.of(row): row for row in rows if is_storable(row)}
    try:
        async with database.writing("recording") as connection:
            await _move_position(database, connection, queue, position, previous)
            kept = await _without_erased(connection, list(newest.values()))
            if kept:
                await _write_jobs(database, connection, kept)
    except ServiceUnavailableError as error:
        if _is_fault_of_rows(error.__cause__):
            raise RowsRefusedError(error.problem) from error.__cause__
        raise


async def _move_position(
    database: Database,
    connection: AsyncConnection,
    queue: str,
    position: str,
    previous: str | None,
) -> None:
    if previous is None:
        start = database.insert(cursors).values(queue=queue, position=position)
        statement = start.on_conflict_do_nothing()
    else:
        statement = (
            update(cursors)
            .where(cursors.c.queue == queue, cursors.c.position == previous)
            .values(position=position)
        )
    if (await connection.execute(statement)).rowcount != 1:
        raise StalePositionError(f"The position of queue {queue!r} is not {previous!r} any more.")


async def _without_erased(
    connection: AsyncConnection, rows: Sequence[ArchivedJob]
) -> list[ArchivedJob]:
    hashes = {owner_hash(row.owner) for row in rows if row.owner is not None}
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
        if row.owner is None or row.created_ms > erased.get(owner_hash(row.owner), -1)
    ]


async def _write_jobs(
    database: Database, connection: AsyncConnection, rows: Sequence[ArchivedJob]
) -> None:
    changing = [row for row in rows if row.finished_ms is not None or row.reopens]
    ended = await _ended_among(connection, changing) if changing else {}
    for row in rows:
        if row.reopens and ended.pop(_JobKey.of(row), None) is not None:
            await _reopen(connection, _JobKey.of(row))
    late = [
        row
        for row in rows
        if row.finished_ms is not None
        and ended.get(_JobKey.of(row), row.finished_ms) != row.finished_ms
    ]
    if late:
        keep_late = database.insert(late_outcomes).on_conflict_do_nothing()
        await connection.execute(keep_late, [late_values(row) for row in late])
    await connection.execute(_upsert_unless_final(database), [values(row) for row in rows])


async def _reopen(connection: AsyncConnection, key: _JobKey) -> None:
    nothing_yet = dict.fromkeys(("finished_ms", "error", "error_code", "result"))
    await connection.execute(
        update(jobs)
        .where(
            jobs.c.queue == key.queue,
            jobs.c.job_id == key.job_id,
            jobs.c.created_ms == key.created_ms,
        )
        .values(status=JobStatus.QUEUED.value, attempts_made=0, **nothing_yet)
    )


async def _ended_among(
    connection: AsyncConnection, rows: Sequence[ArchivedJob]
) -> dict[_JobKey, int]:
    found = await connection.execute(
        select(jobs.c.queue, jobs.c.job_id, jobs.c.created_ms, jobs.c.finished_ms).where(
            jobs.c.job_id.in_([row.job_id for row in rows]), jobs.c.finished_ms.is_not(None)
        )
    )
    return {_JobKey(row.queue, row.job_id, row.created_ms): row.finished_ms for row in found}


def _upsert_unless_final(database: Database) -> Any:
    statement = database.insert(jobs)
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


def _greater(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


def _is_fault_of_rows(error: BaseException | None) -> bool:
    if isinstance(error, (DataError, IntegrityError)):
        return True
    # SQLSTATE classes: data exception, integrity violation, a limit of the program exceeded.
    sqlstate = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return str(sqlstate)[:2] in {"22", "23", "54"}
