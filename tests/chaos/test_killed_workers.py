"""Workers and servers die with jobs in flight, and every job still ends."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from careerlens.queue import JobOptions, NewJob, Queue, QueueState
from careerlens.wire import Link
from support import Valkey, eventually, insist

QUEUE = "chaos"
WORKER = Path(__file__).parent / "queue_worker.py"


class WorkerProcess:
    """A worker in a process of its own; `started` lists every run of a handler."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.started: list[str] = []

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.started.append(line.decode().strip())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)


class Fleet:
    """Starts worker processes and ends them with the test."""

    def __init__(self, url: str, group: asyncio.TaskGroup) -> None:
        self.members: list[WorkerProcess] = []
        self._url = url
        self._group = group

    async def start(self, lock_ms: int = 15_000, rescues: int = 10) -> WorkerProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            WORKER,
            self._url,
            QUEUE,
            str(lock_ms),
            str(rescues),
            stdout=asyncio.subprocess.PIPE,
        )
        member = WorkerProcess(process)
        self.members.append(member)
        self._group.create_task(member.listen())
        return member

    @property
    def runs(self) -> Counter[str]:
        return Counter(job_id for member in self.members for job_id in member.started)


@asynccontextmanager
async def fleet(url: str) -> AsyncIterator[Fleet]:
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(url, group)
        try:
            yield fleet
        finally:
            for member in fleet.members:
                if member.process.returncode is None:
                    member.kill()
                await member.process.wait()


async def all_completed(queue: Queue, count: int) -> bool:
    counts = await queue.counts()
    return counts["completed"] == count


async def test_a_job_of_a_killed_worker_ends_within_35_seconds(redis_url: str) -> None:
    """With the settings that we ship."""
    async with Link(redis_url) as link, fleet(redis_url) as workers:
        queue = Queue(QUEUE, link)
        job_id = await queue.add(QUEUE, {"seconds": 2}, JobOptions(attempts=1))
        first = await workers.start()
        await eventually(lambda: first.started == [job_id])
        await workers.start()
        first.kill()
        killed_at = time.monotonic()
        await eventually(lambda: all_completed(queue, 1), within=35)
        assert time.monotonic() - killed_at < 35
        record = await queue.job(job_id)
    assert record is not None
    assert (record.attempts_made, record.stalled_count) == (1, 1)
    assert workers.runs == {job_id: 2}


async def test_random_kills_lose_no_job(redis_url: str) -> None:
    """Extra runs are bounded by the kills times the jobs that one worker runs at once."""
    seed = time.time_ns()
    print(f"seed {seed}")
    chance = random.Random(seed)
    jobs, kills, concurrency = 1_500, 6, 5
    async with Link(redis_url) as link, fleet(redis_url) as workers:
        queue = Queue(QUEUE, link)
        await queue.open()
        job_ids = await queue.add_bulk(
            [
                NewJob(name=QUEUE, data={"seconds": 0.02}, options=JobOptions(attempts=1))
                for _ in range(jobs)
            ]
        )
        alive = [await workers.start(lock_ms=2_400) for _ in range(2)]
        for _ in range(kills):
            victim = alive.pop(chance.randrange(len(alive)))
            seen = len(victim.started) + chance.randrange(10, 60)
            await eventually(lambda v=victim, n=seen: len(v.started) >= n, within=20)  # type: ignore[misc]
            victim.kill()
            alive.append(await workers.start(lock_ms=2_400))
        await eventually(lambda: all_completed(queue, jobs), within=60)
        counts = await queue.counts()
    assert counts["completed"] == sum(counts.values()) == jobs
    assert set(workers.runs) == set(job_ids)
    assert sum(workers.runs.values()) - jobs <= kills * concurrency


async def test_a_job_that_kills_its_worker_is_given_up(redis_url: str) -> None:
    """After two rescues it fails, having killed three workers; the good jobs beside it are done."""
    async with Link(redis_url) as link, fleet(redis_url) as workers:
        queue = Queue(QUEUE, link)
        pill = await queue.add(QUEUE, {"poison": True, "seconds": 0.3}, JobOptions(attempts=9))
        good = [await queue.add(QUEUE, {"seconds": 0.01}) for _ in range(50)]

        async def pill_failed() -> bool:
            if workers.members[-1].process.returncode is not None:
                await workers.start(lock_ms=900, rescues=2)
            return await queue.state(pill) is QueueState.FAILED

        await workers.start(lock_ms=900, rescues=2)
        await eventually(pill_failed, within=40)
        await eventually(lambda: all_completed(queue, len(good)), within=20)
        record = await queue.job(pill)
    assert record is not None
    assert record.error_code == "stalled"
    assert workers.runs[pill] == 3


async def test_sigterm_ends_a_worker_in_order(redis_url: str) -> None:
    async with Link(redis_url) as link, fleet(redis_url) as workers:
        queue = Queue(QUEUE, link)
        short = await queue.add(QUEUE, {"seconds": 0.3})
        long = await queue.add(QUEUE, {"seconds": 600}, JobOptions(attempts=1))
        worker = await workers.start()
        await eventually(lambda: set(worker.started) == {short, long})
        worker.process.terminate()
        async with asyncio.timeout(8):
            assert await worker.process.wait() == 0
        assert await queue.state(short) is QueueState.COMPLETED
        assert await queue.state(long) is QueueState.WAITING


async def test_a_frozen_worker_does_not_overwrite_its_successor(redis_url: str) -> None:
    """SIGSTOP for two lock times, then SIGCONT: the result of the second run stands."""
    async with Link(redis_url) as link, fleet(redis_url) as workers:
        queue = Queue(QUEUE, link)
        job_id = await queue.add(QUEUE, {"seconds": 1}, JobOptions(attempts=1))
        zombie = await workers.start(lock_ms=1_500)
        await eventually(lambda: zombie.started == [job_id])
        zombie.process.send_signal(signal.SIGSTOP)
        await workers.start(lock_ms=1_500)
        await eventually(lambda: all_completed(queue, 1), within=20)
        before = await queue.job(job_id)
        zombie.process.send_signal(signal.SIGCONT)
        second = await queue.add(QUEUE, {})
        await eventually(lambda: all_completed(queue, 2))
        zombie.process.terminate()
        assert await zombie.process.wait() == 0
        assert await queue.job(job_id) == before
        assert await queue.state(second) is QueueState.COMPLETED


@pytest.mark.parametrize("kills", [1, 3])
async def test_a_killed_server_loses_no_waiting_job(
    valkey_factory: Callable[..., Valkey], kills: int
) -> None:
    """Append-only file with fsync each second; a kill of the process loses nothing of it."""
    server = valkey_factory(durable=True)
    jobs = 1_000
    async with Link(server.url) as link, fleet(server.url) as workers:
        queue = Queue(QUEUE, link)
        await queue.open()
        await queue.add_bulk([NewJob(name=QUEUE, data={"seconds": 0.002}) for _ in range(jobs)])
        server.restart()
        worker = await workers.start()
        for number in range(1, kills):
            wanted = number * jobs // (kills + 1)
            await eventually(lambda n=wanted: len(worker.started) >= n, within=30)  # type: ignore[misc]
            server.restart()
        await eventually(lambda: insist(lambda: all_completed(queue, jobs)), within=60)
        counts = await queue.counts()
    assert counts["completed"] == sum(counts.values()) == jobs
