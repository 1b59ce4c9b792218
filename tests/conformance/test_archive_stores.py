"""What every archive database promises, proved on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import NoneType
from typing import Any

import pytest
from sqlalchemy import select, text

from careerlens.archive.records import MAX_JOB_ID_BYTES, ArchivedJob
from careerlens.archive.store import ArchiveStore
from careerlens.archive.tables import late_outcomes
from careerlens.archive.writing import StalePositionError
from careerlens.foundation.errors import InvalidInputError
from careerlens.jobs.model import JobProgress, JobStatus

QUEUE = "resume-optimization"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[ArchiveStore]:
    """An archive on that database."""
    archive = ArchiveStore(database_url)
    yield archive
    await archive.close()


def a_job(number: int = 1, **changes: Any) -> ArchivedJob:
    """A queued job of user-1; the number is in its id and its time."""
    job = ArchivedJob(
        queue=QUEUE,
        job_id=f"user-1:{QUEUE}:{1_700_000_000_000 + number}:abcdefghijklmnop",
        created_ms=1_700_000_000_000 + number,
        owner="user-1",
        type=QUEUE,
        status=JobStatus.QUEUED,
        max_attempts=3,
    )
    return replace(job, **changes)


def ended(job: ArchivedJob, **changes: Any) -> ArchivedJob:
    """The same job, completed."""
    outcome: dict[str, Any] = {
        "status": JobStatus.COMPLETED,
        "started_ms": job.created_ms + 10,
        "finished_ms": job.created_ms + 500,
        "attempts_made": 1,
        "result": {"atsScore": 71, "text": "Zoë 🎈 \x00 \ud800", "deep": [1.5, None, True]},
        "progress": JobProgress(percent=100, message="Done", step="report", data={"n": 2**70}),
    }
    return replace(job, **(outcome | changes))


class Recorder:
    """Records rows one group after the other, as the real one does."""

    def __init__(self, store: ArchiveStore, queue: str = QUEUE) -> None:
        self._store = store
        self._queue = queue
        self._number = 0

    async def __call__(self, *rows: ArchivedJob) -> None:
        previous = None if self._number == 0 else f"{self._number}-0"
        self._number += 1
        await self._store.record(
            rows, queue=self._queue, position=f"{self._number}-0", previous=previous
        )


@pytest.fixture
def record(store: ArchiveStore) -> Recorder:
    """Records into the store."""
    return Recorder(store)


async def test_job_comes_back_as_it_was_recorded(store: ArchiveStore, record: Recorder) -> None:
    """Also with text that one database or the other cannot hold as it stands."""
    job = ended(a_job())
    await record(job)
    assert await store.get(job.job_id, owner="user-1") == job
    response = job.to_response()
    assert response.completed_at == job.finished_ms
    assert response.result == job.result


async def test_unstorable_characters_of_foreign_workers_are_replaced(
    store: ArchiveStore, record: Recorder
) -> None:
    job = ended(a_job(), status=JobStatus.FAILED, result=None, error="a\x00b\ud800c")
    await record(job)
    archived = await store.get(job.job_id)
    assert archived is not None
    assert archived.error == "a\N{REPLACEMENT CHARACTER}b?c"


async def test_rows_no_index_could_hold_are_left_out_and_the_rest_is_kept(
    store: ArchiveStore, record: Recorder
) -> None:
    huge = a_job(1, job_id="x" * (MAX_JOB_ID_BYTES + 1))
    nul = a_job(2, job_id="a\x00b")
    longest = a_job(3, job_id="ü" * (MAX_JOB_ID_BYTES // 2), attempts_made=2**40)
    await record(huge, nul, longest)
    assert (await store.history("user-1")).items == [replace(longest, attempts_made=2**31 - 1)]


async def test_queued_job_becomes_processing_becomes_completed(
    store: ArchiveStore, record: Recorder
) -> None:
    job = a_job()
    await record(job)
    await record(replace(job, status=JobStatus.PROCESSING, started_ms=job.created_ms + 10))
    await record(replace(ended(job), started_ms=None, progress=None))
    archived = await store.get(job.job_id)
    assert archived is not None
    assert archived.status is JobStatus.COMPLETED
    assert archived.started_ms == job.created_ms + 10, "a row that knows less erased what was known"


async def test_first_outcome_stands_and_a_later_one_is_kept_for_audits(
    store: ArchiveStore, record: Recorder
) -> None:
    job = a_job()
    await record(ended(job))
    later = ended(job, status=JobStatus.FAILED, finished_ms=job.created_ms + 9000, error="late")
    await record(replace(job, status=JobStatus.PROCESSING))
    for _ in range(3):
        await record(later)
    archived = await store.get(job.job_id)
    assert archived == ended(job)
    async with store.database.reading("late outcomes") as connection:
        rows = (await connection.execute(select(late_outcomes))).all()
    assert [(row.job_id, row.status, row.error) for row in rows] == [(job.job_id, "failed", "late")]


async def test_deliberately_retried_job_gets_a_new_outcome(
    store: ArchiveStore, record: Recorder
) -> None:
    job = a_job()
    failed = ended(job, status=JobStatus.FAILED, result=None, error="no", attempts_made=3)
    await record(failed)
    await record(replace(job, reopens=True))
    archived = await store.get(job.job_id)
    assert archived is not None
    assert archived.status is JobStatus.QUEUED
    assert archived.error is None
    again = ended(job, finished_ms=job.created_ms + 9000)
    await record(again)
    assert await store.get(job.job_id) == again


async def test_reopening_and_ending_within_one_group(store: ArchiveStore, record: Recorder) -> None:
    job = a_job()
    await record(ended(job, status=JobStatus.FAILED, result=None, error="no"))
    again = ended(job, finished_ms=job.created_ms + 9000, reopens=True)
    await record(again)
    await record(replace(again, reopens=False))
    assert await store.get(job.job_id) == replace(again, reopens=False)


async def test_reopening_told_again_changes_nothing(store: ArchiveStore, record: Recorder) -> None:
    """The hash was read after its event, so the outcome is known before its own event comes."""
    job = a_job()
    again = ended(job, finished_ms=job.created_ms + 9000, reopens=True)
    await record(again)
    await record(again)
    archived = await store.get(job.job_id)
    assert archived is not None
    assert archived.finished_ms == again.finished_ms
    assert archived.result == again.result


async def test_group_and_position_are_written_together_or_not_at_all(
    store: ArchiveStore, record: Recorder
) -> None:
    assert await store.position(QUEUE) is None
    await record(a_job(1))
    assert await store.position(QUEUE) == "1-0"
    for previous in (None, "0-9"):
        with pytest.raises(StalePositionError):
            await store.record([a_job(2)], queue=QUEUE, position="7-0", previous=previous)
    assert await store.position(QUEUE) == "1-0"
    assert await store.get(a_job(2).job_id) is None


async def test_same_id_of_another_queue_or_time_is_another_job(
    store: ArchiveStore, record: Recorder
) -> None:
    """Foreign producers number their jobs, per queue, from 1 again on an emptied server."""
    first = a_job(1, job_id="1", owner="anna")
    reborn = a_job(2, job_id="1", owner="bert")
    elsewhere = a_job(3, job_id="1", owner="cleo", queue="emails")
    await record(ended(first), reborn)
    await Recorder(store, "emails")(elsewhere)
    assert await store.get("1", owner="anna") == ended(first)
    assert await store.get("1", owner="bert") == reborn
    assert await store.get("1", owner="cleo") == elsewhere
    assert await store.get("1", owner="dora") is None
    assert (await store.known(QUEUE, ["1", "2"])) == {"1": reborn}


async def test_history_is_newest_first_and_pages_hold_still_while_jobs_arrive(
    store: ArchiveStore, record: Recorder
) -> None:
    same_moment = 1_700_000_000_005
    mine = [a_job(n, created_ms=min(1_700_000_000_000 + n, same_moment)) for n in range(10)]
    await record(*mine, a_job(99, owner="user-12"), a_job(98, owner=None))
    seen: list[str] = []
    cursor: str | None = None
    arrivals = iter(range(100, 200))
    while True:
        page = await store.history("user-1", limit=3, cursor=cursor)
        seen += [job.job_id for job in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        await record(a_job(next(arrivals)))
    expected = sorted(mine, key=lambda job: (job.created_ms, job.job_id), reverse=True)
    assert seen == [job.job_id for job in expected]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "bm90IGpzb24", "WzEsMl0", "W251bGwsInEiLCJqIl0", "é", "WzEsInFcdTAwMDAiLCJhIl0"],
)
async def test_cursor_that_we_did_not_make_is_refused(store: ArchiveStore, cursor: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await store.history("user-1", cursor=cursor)
    assert caught.value.problems[0].field == "cursor"


async def test_unfinished_jobs_are_listed_in_pages(store: ArchiveStore, record: Recorder) -> None:
    await record(*(a_job(n) for n in range(5)), ended(a_job(7)))
    first = await store.unfinished(QUEUE, limit=3)
    rest = await store.unfinished(QUEUE, limit=3, after=first[-1])
    assert [*first, *rest] == [a_job(n) for n in range(5)]


async def test_export_yields_everything_of_one_user(store: ArchiveStore, record: Recorder) -> None:
    await record(*(ended(a_job(n)) for n in range(450)), a_job(900, owner="user-2"))
    exported = [job async for job in store.export_user("user-1")]
    assert len(exported) == 450
    assert {job.owner for job in exported} == {"user-1"}


async def test_erased_user_is_gone_and_a_straggler_does_not_bring_a_job_back(
    store: ArchiveStore, record: Recorder
) -> None:
    running = a_job(600)
    await record(*(ended(a_job(n)) for n in range(550)), running, a_job(900, owner="user-2"))
    await record(ended(a_job(1), finished_ms=1_700_000_900_000))
    assert await store.erase_user("user-1", now_ms=1_700_000_000_700) == 551
    await record(ended(running))
    assert (await store.history("user-1")).items == []
    assert len((await store.history("user-2")).items) == 1
    async with store.database.reading("late outcomes") as connection:
        assert (await connection.execute(select(late_outcomes))).all() == []
    comes_again = a_job(800)
    await record(comes_again)
    assert (await store.history("user-1")).items == [comes_again]


async def test_pruning_forgets_old_outcomes_and_no_unfinished_job(
    store: ArchiveStore, record: Recorder
) -> None:
    await record(*(ended(a_job(n)) for n in range(1200)), a_job(2000))
    assert await store.prune(older_than_ms=1_700_000_001_500) == 1000
    assert await store.prune(older_than_ms=1_700_000_001_500) == 0
    assert len([job async for job in store.export_user("user-1")]) == 201


async def test_health_check_passes_on_a_healthy_database(store: ArchiveStore) -> None:
    await store.check()


async def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    stores = [ArchiveStore(database_url) for _ in range(4)]
    try:
        await asyncio.gather(*(store.open() for store in stores))
        await asyncio.gather(*(store.check() for store in stores))
    finally:
        await asyncio.gather(*(store.close() for store in stores))


async def test_reader_is_not_held_up_by_a_writer(store: ArchiveStore, record: Recorder) -> None:
    await record(a_job(1))
    async with store.database.writing("a slow write") as connection:
        await connection.execute(text("DELETE FROM careerlens_jobs"))
        async with asyncio.timeout(2):
            assert await store.get(a_job(1).job_id) is not None


async def test_two_recorders_at_once_write_each_group_once(
    store: ArchiveStore, database_url: str
) -> None:
    """As after a lease that ran out: one of them loses every race, and nothing is doubled."""
    second = ArchiveStore(database_url)
    previous: str | None = None
    try:
        for number in range(1, 21):
            position = f"{number}-0"
            outcomes = await asyncio.gather(
                *(
                    archive.record(
                        [ended(a_job(number))], queue=QUEUE, position=position, previous=previous
                    )
                    for archive in (store, second)
                ),
                return_exceptions=True,
            )
            assert {type(outcome) for outcome in outcomes} == {NoneType, StalePositionError}
            previous = position
    finally:
        await second.close()
    assert await store.position(QUEUE) == "20-0"
    assert len((await store.history("user-1", limit=200)).items) == 20
    async with store.database.reading("late outcomes") as connection:
        assert (await connection.execute(select(late_outcomes))).all() == []
