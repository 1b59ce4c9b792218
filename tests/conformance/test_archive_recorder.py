"""The recorder archives what happens to every job, once, through whatever is away meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from careerlens.archive.recorder import LEASE_KEY, Recorder, RecorderOptions
from careerlens.archive.records import ArchivedJob
from careerlens.archive.store import ArchiveStore
from careerlens.archive.tables import late_outcomes
from careerlens.foundation.redis import connect
from careerlens.jobs.keys import QUEUES_KEY
from careerlens.jobs.model import JobStatus
from careerlens.queue import JobOptions
from careerlens.wire.link import Link
from queue_driving import Driver
from support import Valkey, eventually

QUEUE = "echo"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[ArchiveStore]:
    """An empty archive on each engine."""
    archive = ArchiveStore(database_url)
    yield archive
    await archive.close()


@pytest.fixture
async def driver(redis_url: str) -> AsyncIterator[Driver]:
    """Drives the queue `echo` on the shared server."""
    async with Link(redis_url) as link:
        yield Driver(QUEUE, link)


@asynccontextmanager
async def recording(
    redis_url: str, store: ArchiveStore, *queues: str, lease_ttl_s: float = 1.0
) -> AsyncIterator[None]:
    """A recorder at work for the time of the block."""
    recorder = Recorder(
        redis_url, queues or (QUEUE,), store, RecorderOptions(lease_ttl_s=lease_ttl_s)
    )
    task = asyncio.create_task(recorder.run())
    try:
        yield
        assert not task.done(), "the recorder ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def archived(
    store: ArchiveStore, job_id: str, status: JobStatus, within: float = 10
) -> ArchivedJob:
    """The archived job, once it has that status."""

    async def look() -> ArchivedJob | None:
        job = await store.get(job_id)
        assert job is not None, f"{job_id} is not archived"
        assert job.status is status
        return job

    found = await eventually(look, within)
    assert found is not None
    return found


async def late(store: ArchiveStore) -> int:
    """How many second outcomes were seen."""
    async with store.database.reading("late outcomes") as connection:
        found = await connection.execute(select(func.count()).select_from(late_outcomes))
        return int(found.scalar_one())


async def test_job_is_in_the_archive_from_its_creation_to_its_result(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    async with recording(redis_url, store):
        job_id = await driver.add("anna")
        queued = await archived(store, job_id, JobStatus.QUEUED)
        assert (queued.owner, queued.type, queued.max_attempts) == ("anna", QUEUE, 3)
        taken = await driver.take()
        await archived(store, job_id, JobStatus.PROCESSING)
        await driver.queue.update_progress(job_id, {"percent": 60, "message": "Reading"})
        await driver.finish(taken, "completed", {"score": 71})
        done = await archived(store, job_id, JobStatus.COMPLETED)
    record = await driver.queue.job(job_id)
    assert record is not None
    assert done.result == {"score": 71}
    assert done.progress is not None
    assert done.progress.percent == 60
    assert done.attempts_made == 1
    assert (done.started_ms, done.finished_ms) == (record.processed_on_ms, record.finished_on_ms)
    page = await store.history("anna")
    assert [job.to_response() for job in page.items] == [done.to_response()]


async def test_failure_and_cancellation_are_archived_as_their_owner_saw_them(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    async with recording(redis_url, store):
        failing = await driver.add()
        await driver.finish(await driver.take(), "failed", "The file is empty.", code="empty_file")
        failed = await archived(store, failing, JobStatus.FAILED)
        assert (failed.error, failed.error_code) == ("The file is empty.", "empty_file")
        unwanted = await driver.add()
        await driver.queue.cancel(unwanted)
        cancelled = await archived(store, unwanted, JobStatus.CANCELLED)
        assert cancelled.finished_ms is not None
        assert cancelled.error is None


async def test_job_of_a_foreign_producer_belongs_to_the_user_in_its_data(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    async with recording(redis_url, store):
        job_id = await driver.queue.add(QUEUE, {"userId": "bert"})
        nobodys = await driver.queue.add(QUEUE, {"userId": 7})
        assert (await archived(store, job_id, JobStatus.QUEUED)).owner == "bert"
        assert (await archived(store, nobodys, JobStatus.QUEUED)).owner is None


async def test_job_that_is_removed_as_it_ends_is_archived_from_its_events(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    """As with `removeOnComplete: true`: the event is then the only copy of the result."""
    ours = await driver.add("anna")
    await driver.run_one({"n": 1}, keep={"count": 0})
    async with recording(redis_url, store):
        done = await archived(store, ours, JobStatus.COMPLETED)
        assert (done.owner, done.result) == ("anna", {"n": 1})
        foreign = await driver.queue.add(QUEUE, {"userId": "bert"}, JobOptions(attempts=2))
        before = await archived(store, foreign, JobStatus.QUEUED)
        await driver.finish(await driver.take(), "failed", "no", keep={"count": 0})
        after = await archived(store, foreign, JobStatus.FAILED)
        assert after.error == "no"
        assert (after.owner, after.created_ms) == ("bert", before.created_ms)


async def test_waiting_job_that_somebody_removes_does_not_wait_for_ever(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    async with recording(redis_url, store):
        job_id = await driver.add()
        await archived(store, job_id, JobStatus.QUEUED)
        assert await driver.queue.remove(job_id)
        removed = await archived(store, job_id, JobStatus.CANCELLED)
        assert removed.error_code == "removed"
        done = await driver.add()
        await driver.run_one("kept")
        await archived(store, done, JobStatus.COMPLETED)
        assert await driver.queue.remove(done)
        await driver.add()
        assert (await archived(store, done, JobStatus.COMPLETED)).result == "kept"


async def test_retried_job_gets_its_new_outcome(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    async with recording(redis_url, store):
        job_id = await driver.add()
        await driver.finish(await driver.take(), "failed", "no")
        await archived(store, job_id, JobStatus.FAILED)
        await driver.queue.retry(job_id)
        await archived(store, job_id, JobStatus.QUEUED)
        await driver.run_one("yes")
        assert (await archived(store, job_id, JobStatus.COMPLETED)).result == "yes"
    assert await late(store) == 0


async def test_queue_that_appears_later_is_recorded_too(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    redis = connect(redis_url)
    await redis.sadd(QUEUES_KEY, QUEUE, "not:a:queue")
    job_id = await driver.add()
    async with recording(redis_url, store, "another-queue"):
        await archived(store, job_id, JobStatus.QUEUED)
    await redis.aclose()


async def test_second_recorder_stands_by_and_goes_on_where_the_first_stopped(
    redis_url: str, store: ArchiveStore, driver: Driver, database_url: str
) -> None:
    other = ArchiveStore(database_url)
    try:
        async with recording(redis_url, other):
            async with recording(redis_url, store):
                first = await driver.add()
                await archived(store, first, JobStatus.QUEUED)
            second = await driver.add()
            await archived(store, second, JobStatus.QUEUED)
    finally:
        await other.close()


async def test_jobs_of_a_long_absence_are_found_when_the_events_are_gone(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    """The stream was trimmed past the recorder, so the queue's own sets are read."""
    async with recording(redis_url, store):
        seen = await driver.add()
        await archived(store, seen, JobStatus.QUEUED)
    ids = [seen, *[await driver.add() for _ in range(250)]]
    for number in range(len(ids)):
        await driver.run_one(number)
    redis = connect(redis_url)
    await redis.xtrim(driver.queue.keys.events, maxlen=3, approximate=False)
    await redis.aclose()
    async with recording(redis_url, store):
        for job_id in ids:
            await archived(store, job_id, JobStatus.COMPLETED)
        fresh = await driver.add()
        await archived(store, fresh, JobStatus.QUEUED)
    assert await late(store) == 0


async def test_emptied_server_stops_nothing_and_erases_no_history(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    redis = connect(redis_url)
    async with recording(redis_url, store):
        before = await driver.add()
        await driver.run_one("before")
        await archived(store, before, JobStatus.COMPLETED)
        await redis.flushall()
        after = await driver.add()
        await driver.run_one("after")
        await archived(store, after, JobStatus.COMPLETED, within=20)
    assert [job.result for job in (await store.history("user-1")).items] == ["after", "before"]
    await redis.aclose()


async def test_restarted_server_is_followed_again(
    valkey_factory: Callable[..., Valkey], store: ArchiveStore
) -> None:
    server = valkey_factory(durable=True)
    async with Link(server.url) as link, recording(server.url, store):
        driver = Driver(QUEUE, link)
        ids = [await driver.add()]
        await archived(store, ids[0], JobStatus.QUEUED)
        await asyncio.to_thread(server.restart)
        ids.append(await driver.add())
        for job_id in ids:
            await archived(store, job_id, JobStatus.QUEUED, within=20)
        for _ in ids:
            await driver.run_one("done")
        for job_id in ids:
            await archived(store, job_id, JobStatus.COMPLETED)


async def test_jobs_go_on_while_the_database_is_away_and_are_archived_afterwards(
    redis_url: str, tmp_path: Path, driver: Driver
) -> None:
    store = ArchiveStore(f"sqlite:///{tmp_path / 'archive.db'}", timeout_s=2)
    await store.open()
    intruder = sqlite3.connect(tmp_path / "archive.db", isolation_level=None)
    try:
        async with recording(redis_url, store):
            intruder.execute("BEGIN IMMEDIATE")
            ids = [await driver.add() for _ in range(300)]
            for number in range(len(ids)):
                await driver.run_one(number)
            assert (await store.history("user-1")).items == []
            intruder.execute("ROLLBACK")
            for job_id in ids:
                await archived(store, job_id, JobStatus.COMPLETED, within=20)
        assert await late(store) == 0
    finally:
        intruder.close()
        await store.close()


async def test_row_that_the_database_never_takes_keeps_no_other_out(
    redis_url: str, tmp_path: Path, driver: Driver
) -> None:
    path = tmp_path / "archive.db"
    store = ArchiveStore(f"sqlite:///{path}")
    await store.open()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON careerlens_jobs WHEN NEW.owner = 'cursed' "
            "BEGIN SELECT RAISE(ABORT, 'never'); END"
        )
    connection.close()
    ids = [await driver.add("cursed" if number == 4 else "fine") for number in range(9)]
    async with recording(redis_url, store):
        for number, job_id in enumerate(ids):
            if number != 4:
                await archived(store, job_id, JobStatus.QUEUED)
        await driver.add("fine")
        await eventually(lambda: _count(store, "fine", 9))
    assert await store.get(ids[4]) is None
    await store.close()


async def _count(store: ArchiveStore, owner: str, wanted: int) -> bool:
    return len((await store.history(owner)).items) == wanted


async def test_finished_jobs_are_forgotten_after_the_days_that_are_set(
    redis_url: str, store: ArchiveStore, driver: Driver
) -> None:
    async with recording(redis_url, store):
        old = await driver.add()
        await driver.run_one()
        job = await archived(store, old, JobStatus.COMPLETED)
    day_ms = 86_400_000
    async with store.database.writing("making it old") as connection:
        await connection.exec_driver_sql(
            f"UPDATE careerlens_jobs SET finished_ms = {(job.finished_ms or 0) - 8 * day_ms}"
        )
    recent = await driver.add()
    await driver.run_one()
    recorder = Recorder(redis_url, [QUEUE], store, RecorderOptions(keep_days=7))
    task = asyncio.create_task(recorder.run())
    await archived(store, recent, JobStatus.COMPLETED)

    async def is_gone() -> bool:
        return await store.get(old) is None

    await eventually(is_gone)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_recorder_stops_when_told_even_as_it_loses_its_lease(
    redis_url: str, tmp_path: Path
) -> None:
    """Told in the very moment of the loss, it must not go on as if nothing had been said."""
    store = ArchiveStore(f"sqlite:///{tmp_path / 'archive.db'}")
    redis = connect(redis_url)
    recorder = Recorder(redis_url, [QUEUE], store, RecorderOptions(lease_ttl_s=0.4))
    task = asyncio.create_task(recorder.run())
    await eventually(lambda: redis.delete(LEASE_KEY))
    keeping = next(t for t in asyncio.all_tasks() if t.get_name() == "recorder lease")
    await asyncio.wait([keeping])
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.done(), "it did not stop"
    await redis.aclose()
    await store.close()
