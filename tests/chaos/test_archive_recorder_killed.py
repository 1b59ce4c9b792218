"""kill -9 of the recorder around its commits: no row is doubled and none is missing."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from sqlalchemy import func, select

from careerlens.archive.store import ArchiveStore
from careerlens.archive.tables import late_outcomes
from careerlens.jobs.model import JobStatus
from careerlens.wire.link import Link
from queue_driving import Driver
from support import eventually

KILLS = 40
QUEUE = "echo"
SEED = os.environ.get("CAREERLENS_TEST_SEED", "1")


async def test_killed_recorder_leaves_no_double_and_no_gap(redis_url: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    calm = tmp_path / "calm"
    program = Path(__file__).with_name("recorder_that_dies.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, redis_url, url, QUEUE, SEED, calm, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    deaths: list[bytes] = []

    async def count_deaths(output: asyncio.StreamReader) -> None:
        while len(deaths) < KILLS:
            deaths.append(await output.readline())

    counting = asyncio.create_task(count_deaths(process.stdout))
    ids: list[str] = []
    try:
        async with Link(redis_url) as link, asyncio.timeout(120):
            driver = Driver(QUEUE, link)
            while not counting.done():
                ids.append(await driver.add(f"user-{len(ids) % 7}", number=len(ids)))
                await driver.run_one(len(ids))
                await asyncio.sleep(0.01)
        await counting
        calm.touch()
        await everything_is_archived(url, ids)
    finally:
        process.terminate()
        await process.wait()
    assert set(deaths) == {b"killed\n"}
    print(f"{KILLS} kills (seed {SEED}), {len(ids)} jobs: each archived once")


async def everything_is_archived(url: str, ids: list[str]) -> None:
    """Every job is there, completed with its own result, and none has a second outcome."""
    store = ArchiveStore(url)
    try:

        async def last_is_there() -> bool:
            job = await store.get(ids[-1])
            return job is not None and job.status is JobStatus.COMPLETED

        await eventually(last_is_there, within=20)
        for number, job_id in enumerate(ids, 1):
            job = await store.get(job_id)
            assert job is not None
            assert (job.status, job.result) == (JobStatus.COMPLETED, number)
        rows = 0
        for number in range(7):
            rows += len([job async for job in store.export_user(f"user-{number}")])
        assert rows == len(ids)
        async with store.database.reading("late outcomes") as connection:
            late = await connection.execute(select(func.count()).select_from(late_outcomes))
            assert late.scalar_one() == 0
    finally:
        await store.close()
