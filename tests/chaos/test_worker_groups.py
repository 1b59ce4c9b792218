"""`careerlens worker --processes`: several processes that work, fail and stop as one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from careerlens.queue import Queue
from careerlens.wire import Link
from support import eventually, free_port

QUEUE = "gated"
JOBS = '''
import asyncio, os
from pathlib import Path
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import job
from careerlens.jobs.model import WireModel

class Nothing(WireModel):
    pass

@job("gated", timeout=120)
async def gated(ctx: JobContext, data: Nothing) -> int:
    """Note which process runs it, and wait for the gate to open."""
    with open("diary", "a") as diary:
        diary.write(f"{ctx.job_id} {os.getpid()}\\n")
    while not Path("gate").exists():
        await asyncio.sleep(0.02)
    return os.getpid()
'''


class Group:
    """A running `careerlens worker --processes 2`, of which each process runs one job at a time."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.process: asyncio.subprocess.Process

    async def start(self, redis_url: str, *arguments: str, **environment: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with (self.folder / "log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "careerlens", "worker"),
                *("--processes", "2", "--concurrency", "1", *arguments),
                cwd=self.folder,
                env=kept
                | {
                    "REDIS_URL": redis_url,
                    "CAREERLENS_JOBS": "gated_jobs",
                    "WORKER_HEALTH_PORT": str(self.port),
                }
                | environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def runs(self) -> list[tuple[str, int]]:
        """Each start of a handler so far: the job's id and the process that runs it."""
        diary = self.folder / "diary"
        lines = diary.read_text().splitlines() if diary.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    async def runs_on_two(self) -> list[int]:
        """The ids of both processes, once each runs a job."""

        def both() -> set[int]:
            pids = {pid for _, pid in self.runs()}
            return pids if len(pids) == 2 else set()

        return sorted(await eventually(both, within=30))

    def open_gate(self) -> None:
        """Let every job end."""
        (self.folder / "gate").touch()

    async def health(self) -> tuple[int, dict[str, object]]:
        """What the group's health page says; nothing while there is none."""
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.port}/health/ready")
            except httpx.TransportError:
                return 0, {}
            return answer.status_code, answer.json()

    async def is_ready(self) -> bool:
        return (await self.health())[0] == 200

    async def running_by_metrics(self) -> dict[str, float]:
        """How many jobs of the queue each process runs, as Prometheus is told."""
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://127.0.0.1:{self.port}/metrics")).text
        return {
            sample.labels["process"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "careerlens_worker_running" and sample.labels["queue"] == QUEUE
        }


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    (tmp_path / "gated_jobs.py").write_text(JOBS)
    group = Group(tmp_path, free_port())
    yield group
    if group.process.returncode is None:
        group.open_gate()
        group.process.terminate()
        await group.process.wait()


@pytest.fixture
def queue(link: Link) -> Queue:
    return Queue(QUEUE, link)


async def add(queue: Queue, count: int) -> None:
    for _ in range(count):
        await queue.add(QUEUE, {"userId": "user-1"})


def is_gone(pid: int) -> bool:
    """Whether the process has ended, a zombie included."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@asynccontextmanager
async def frozen(pid: int) -> AsyncIterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_group_works_in_all_its_processes_and_answers_as_one(
    group: Group, queue: Queue, redis_url: str, redis: Redis
) -> None:
    await group.start(redis_url)
    await add(queue, 2)
    pids = await group.runs_on_two()
    assert group.process.pid not in pids
    await eventually(group.is_ready)
    assert await group.health() == (
        200,
        {"status": "ready", "checks": {"redis": "ok", "processes": 2, "running": 2}},
    )
    assert await group.running_by_metrics() == {"worker 1": 1, "worker 2": 1}
    async with frozen(pids[0]):
        code, said = await group.health()
        assert (code, said["status"]) == (503, "not ready")
    await eventually(group.is_ready)
    assert await redis.zcard("careerlens:workers") == 2
    group.open_gate()
    await eventually(lambda: _completed(queue, 2))


async def test_a_killed_process_is_started_again_and_its_job_is_not_lost(
    group: Group, queue: Queue, redis_url: str
) -> None:
    await group.start(redis_url)
    await add(queue, 2)
    killed, other = await group.runs_on_two()
    os.kill(killed, signal.SIGKILL)
    await eventually(lambda: is_gone(killed))
    await eventually(group.is_ready, within=30)
    await add(queue, 1)
    await eventually(lambda: {pid for _, pid in group.runs()} - {killed, other}, within=30)
    group.open_gate()
    # Its job comes back when its lock has run out and a worker has looked for such jobs.
    await eventually(lambda: _completed(queue, 3), within=60)
    assert (await queue.counts())["failed"] == 0


async def test_a_group_told_to_stop_lets_the_jobs_of_all_processes_end(
    group: Group, queue: Queue, redis_url: str
) -> None:
    await group.start(redis_url)
    await add(queue, 2)
    pids = await group.runs_on_two()
    await eventually(group.is_ready)
    group.process.terminate()
    await eventually(lambda: _is_draining(group))
    group.open_gate()
    assert await group.process.wait() == 0
    assert all(is_gone(pid) for pid in pids)
    assert len(group.runs()) == 2
    counts = await queue.counts()
    assert (counts["completed"], counts["active"]) == (2, 0)


async def test_jobs_that_outlast_the_shutdown_are_handed_back_by_all_processes(
    group: Group, queue: Queue, redis_url: str
) -> None:
    await group.start(redis_url, CAREERLENS_SHUTDOWN_SECONDS="1")
    await add(queue, 2)
    await group.runs_on_two()
    group.process.send_signal(signal.SIGINT)
    assert await group.process.wait() == 0
    counts = await queue.counts()
    assert (counts["completed"], counts["active"], counts["waiting"]) == (0, 0, 2)


async def test_no_process_outlives_a_killed_parent(
    group: Group, queue: Queue, redis_url: str
) -> None:
    await group.start(redis_url, CAREERLENS_SHUTDOWN_SECONDS="1")
    await add(queue, 2)
    pids = await group.runs_on_two()
    group.process.kill()
    await group.process.wait()
    await eventually(lambda: all(is_gone(pid) for pid in pids), within=20)
    counts = await queue.counts()
    assert (counts["active"], counts["waiting"]) == (0, 2)


async def test_a_group_that_cannot_work_says_why_and_ends(group: Group, redis_url: str) -> None:
    await group.start(redis_url, "--types", "gatd")
    assert await group.process.wait() == 3
    assert "gatd" in group.log
    assert "gated" in group.log


async def test_a_health_port_that_is_taken_ends_the_group(group: Group, redis_url: str) -> None:
    async with await asyncio.start_server(lambda _, __: None, "127.0.0.1", group.port):
        await group.start(redis_url)
        assert await group.process.wait() == 3
    assert "WORKER_HEALTH_PORT" in group.log


async def _completed(queue: Queue, wanted: int) -> bool:
    return (await queue.counts())["completed"] == wanted


async def _is_draining(group: Group) -> bool:
    return (await group.health())[1].get("status") == "draining"
