"""Whatever is done to jobs in whatever order, the archive ends up saying what became of each."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from careerlens.archive.recorder import Recorder, RecorderOptions
from careerlens.archive.store import ArchiveStore
from careerlens.jobs.model import JobStatus
from careerlens.queue import QueueState
from careerlens.wire.link import Link
from queue_driving import Driver
from support import eventually

QUEUE = "echo"
STEPS = 250


@dataclass
class Expected:
    """What must be told of a job in the end."""

    status: JobStatus
    said: object = None
    is_in_queue: bool = True


@dataclass
class Model:
    """Does things to jobs, and knows what must become of them."""

    driver: Driver
    chance: random.Random
    jobs: dict[str, Expected] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    number: int = 0

    async def step(self) -> None:
        """Do one thing."""
        self.number += 1
        actions = (self.add, self.take, self.finish, self.cancel, self.retry, self.remove)
        await self.chance.choice(actions)()

    def any_of(self, *statuses: JobStatus) -> str | None:
        """Some job that is in its queue and has one of these statuses."""
        fitting = [i for i, job in self.jobs.items() if job.is_in_queue and job.status in statuses]
        return self.chance.choice(fitting) if fitting else None

    async def add(self) -> None:
        """Create a job of ours or of a foreign producer."""
        if self.chance.random() < 0.7:
            job_id = await self.driver.add(f"user-{self.chance.randrange(3)}")
        else:
            job_id = await self.driver.queue.add(QUEUE, {"userId": "user-1"})
        self.jobs[job_id] = Expected(JobStatus.QUEUED)

    async def take(self) -> None:
        """A worker takes whatever is next."""
        if self.any_of(JobStatus.QUEUED) is not None:
            job_id, token = await self.driver.take()
            self.taken[job_id] = token
            self.jobs[job_id].status = JobStatus.PROCESSING

    async def finish(self) -> None:
        """A running job reports progress, and then completes or fails."""
        job_id = self.any_of(JobStatus.PROCESSING)
        if job_id is None:
            return
        await self.driver.queue.update_progress(job_id, self.chance.randrange(100))
        held = (job_id, self.taken.pop(job_id))
        if self.chance.random() < 0.5:
            await self.driver.finish(held, "completed", self.number)
            self.jobs[job_id] = Expected(JobStatus.COMPLETED, self.number)
        else:
            await self.driver.finish(held, "failed", f"reason {self.number}")
            self.jobs[job_id] = Expected(JobStatus.FAILED, f"reason {self.number}")

    async def cancel(self) -> None:
        """The owner wants a waiting job no more."""
        job_id = self.any_of(JobStatus.QUEUED)
        if job_id is not None:
            await self.driver.queue.cancel(job_id)
            self.jobs[job_id] = Expected(JobStatus.CANCELLED)

    async def retry(self) -> None:
        """An operator puts an ended job back in line."""
        job_id = self.any_of(JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.COMPLETED)
        if job_id is not None:
            state = await self.driver.queue.state(job_id)
            completed = state is QueueState.COMPLETED
            await self.driver.queue.retry(job_id, "completed" if completed else "failed")
            self.jobs[job_id] = Expected(JobStatus.QUEUED)

    async def remove(self) -> None:
        """Somebody takes a job out of its queue.

        One of ours: of a foreign one that leaves before it was seen, nothing says whose it was.
        """
        if self.chance.random() < 0.5:
            return
        job_id = self.any_of(*(status for status in JobStatus if status != JobStatus.PROCESSING))
        if job_id is not None and ":" in job_id:
            assert await self.driver.queue.remove(job_id)
            known = self.jobs[job_id]
            known.is_in_queue = False
            if not known.status.is_final:
                known.status, known.said = JobStatus.CANCELLED, None


@pytest.mark.parametrize("seed", range(6))
async def test_archive_tells_what_became_of_every_job(
    redis_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    store = ArchiveStore(f"sqlite:///{tmp_path / 'archive.db'}")
    async with Link(redis_url) as link:
        driver = Driver(QUEUE, link)
        await driver.queue.open()
        model = Model(driver, chance)

        async def record() -> None:
            await Recorder(redis_url, [QUEUE], store, RecorderOptions(lease_ttl_s=0.5)).run()

        recording = asyncio.create_task(record())
        for number in range(STEPS):
            await model.step()
            if number % 60 == 59:  # another recorder goes on where this one stops
                recording.cancel()
                await asyncio.wait([recording])
                recording = asyncio.create_task(record())
            elif chance.random() < 0.05:
                await asyncio.sleep(chance.random() * 0.3)
        last = await driver.add()

        async def is_recorded() -> bool:
            return await store.get(last) is not None

        await eventually(is_recorded)
        recording.cancel()
        await asyncio.wait([recording])
    for job_id, expected in model.jobs.items():
        job = await store.get(job_id)
        assert job is not None, job_id
        said = job.result if job.status is JobStatus.COMPLETED else job.error
        if job.error_code == "removed":
            said = None
        assert (job.status, said) == (expected.status, expected.said), (job_id, seed)
    await store.close()
