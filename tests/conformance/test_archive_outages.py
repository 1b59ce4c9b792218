"""The archive's database away, slow, locked or full: said clearly and soon, and got over."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres
from careerlens.archive.engine import POOL_SIZE
from careerlens.archive.records import ArchivedJob
from careerlens.archive.store import ArchiveStore
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.jobs.model import JobStatus
from support import free_port

QUEUE = "echo"


def a_job(number: int, result: object = None) -> ArchivedJob:
    """A completed job."""
    return ArchivedJob(
        queue=QUEUE,
        job_id=f"u:echo:{number}:abcdefghijk",
        created_ms=number,
        owner="u",
        type="echo",
        status=JobStatus.COMPLETED,
        finished_ms=number + 1,
        result=result,
    )


async def test_locked_sqlite_file_answers_in_time_and_recovers(tmp_path: Path) -> None:
    store = ArchiveStore(f"sqlite:///{tmp_path / 'archive.db'}", timeout_s=2)
    await store.record([], queue=QUEUE, position="1-0", previous=None)
    intruder = sqlite3.connect(tmp_path / "archive.db", isolation_level=None)
    try:
        intruder.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(ServiceUnavailableError, match="archive is unavailable"):
            await store.record([a_job(1)], queue=QUEUE, position="2-0", previous="1-0")
        assert time.monotonic() - started < 3
        assert await store.position(QUEUE) == "1-0", "reading must go on"
        intruder.execute("ROLLBACK")
        await store.record([a_job(1)], queue=QUEUE, position="2-0", previous="1-0")
    finally:
        intruder.close()
        await store.close()


async def test_full_disk_is_reported_loses_nothing_and_is_got_over(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    store = ArchiveStore(f"sqlite:///{path}")
    await store.record([a_job(0)], queue=QUEUE, position="0-1", previous=None)

    async def limit_pages(extra: int) -> None:
        # The limit belongs to a connection: all of them, then.
        connections = [await store.database.engine.connect() for _ in range(POOL_SIZE)]
        for connection in connections:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + extra}")
            await connection.close()

    await limit_pages(5)
    position, number, complaint = "0-1", 1, None
    while complaint is None:
        upcoming = f"{number}-1"
        try:
            await store.record(
                [a_job(number, "x" * 4000)], queue=QUEUE, position=upcoming, previous=position
            )
        except ServiceUnavailableError as error:
            complaint = error
        else:
            position, number = upcoming, number + 1
    assert "full" in complaint.problem
    assert await store.position(QUEUE) == position
    assert len((await store.history("u", limit=200)).items) == number
    await limit_pages(10_000)
    await store.record(
        [a_job(number, "x" * 4000)], queue=QUEUE, position=f"{number}-1", previous=position
    )
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_sqlite_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = ArchiveStore(f"sqlite:///{tmp_path / 'file' / 'archive.db'}")
    with pytest.raises(ServiceUnavailableError, match="archive is unavailable: opening"):
        await store.check()
    await store.close()


async def test_absent_server_delays_no_start_and_is_reported_by_each_call() -> None:
    store = ArchiveStore(f"postgresql://u:hunter2@127.0.0.1:{free_port()}/jobs")
    with pytest.raises(ServiceUnavailableError) as caught:
        await store.history("u")
    assert caught.value.service == "archive"
    assert "hunter2" not in str(caught.value)
    await store.close()


async def test_silent_server_is_given_up_on_in_time() -> None:
    """It accepts the connection and never answers, as behind a broken network."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        store = ArchiveStore(f"postgresql://u@127.0.0.1:{port}/jobs?ssl=disable", timeout_s=0.5)
        started = time.monotonic()
        with pytest.raises(ServiceUnavailableError):
            await store.get("x")
        assert time.monotonic() - started < 2
        await store.close()


async def test_calls_whose_caller_is_gone_end_by_themselves(tmp_path: Path) -> None:
    """As requests of clients that went away: no connection is lost or left half-way."""
    store = ArchiveStore(f"sqlite:///{tmp_path / 'archive.db'}")
    for turns in range(30):
        call = asyncio.create_task(store.history("u"))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await store.record([a_job(1)], queue=QUEUE, position="1-0", previous=None)
    await store.close()


if postgres.find_binaries() is not None:  # one that somebody else runs is not killed

    @pytest.fixture
    def mortal_postgres() -> Iterator[postgres.Postgres]:
        """A PostgreSQL server that this test may kill."""
        server = postgres.Postgres(private=True)
        try:
            server.start()
            yield server
        finally:
            server.stop()

    async def test_killed_postgres_is_reported_and_used_again_when_back(
        mortal_postgres: postgres.Postgres,
    ) -> None:
        url = await asyncio.to_thread(mortal_postgres.new_database)
        store = ArchiveStore(url, timeout_s=2)
        await store.record([a_job(1)], queue=QUEUE, position="1-0", previous=None)
        await asyncio.to_thread(mortal_postgres.kill)
        for _ in range(3):
            with pytest.raises(ServiceUnavailableError):
                await store.record([a_job(2)], queue=QUEUE, position="2-0", previous="1-0")
        await asyncio.to_thread(mortal_postgres.resume)
        await store.record([a_job(2)], queue=QUEUE, position="2-0", previous="1-0")
        assert [job.created_ms for job in (await store.history("u")).items] == [2, 1]
        await store.close()
