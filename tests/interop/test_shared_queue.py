"""Node's processes and ours share one busy queue, and each job is completed once."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from careerlens.queue import Backoff, JobOptions, JobRecord, NewJob, Queue
from careerlens.wire import Link
from node_peer import NodePeer, node_peer
from support import Valkey, eventually

QUEUE = "shared"
JOBS = 20_000
BATCH = 1_000
WORKER = Path(__file__).parent / "counting_worker.py"


def data(number: int) -> dict[str, int]:
    """One job in four fails its first attempt, and one of them its second as well."""
    return {"number": number, "failures": (number % 4 == 0) + (number % 32 == 0)}


def delay_ms(number: int) -> int:
    return number % 7 * 150 if number % 5 == 0 else 0


def priority(number: int) -> int:
    return number % 4 if number % 3 == 0 else 0


def our_job(number: int) -> NewJob:
    backoff = Backoff(delay_ms=40) if number % 8 == 0 else None
    options = JobOptions(
        attempts=3, backoff=backoff, delay_ms=delay_ms(number), priority=priority(number)
    )
    return NewJob(name="count", data=data(number), options=options)


def their_job(number: int) -> dict[str, Any]:
    backoff = {"backoff": {"type": "exponential", "delay": 40}} if number % 8 == 0 else {}
    delay = {"delay": delay_ms(number)} if delay_ms(number) else {}
    return {
        "name": "count",
        "data": data(number),
        "opts": {"attempts": 3, "priority": priority(number)} | delay | backoff,
    }


@asynccontextmanager
async def worker_process(url: str, file: Path) -> AsyncIterator[None]:
    command = [sys.executable, str(WORKER), url, QUEUE, str(file)]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(15):
                assert await process.wait() == 0
        except TimeoutError:
            process.kill()
            raise


async def produce(node: NodePeer, queue: Queue, numbers: range) -> None:
    """Every other thousand of jobs comes from Node, and both add at the same time."""
    batches = [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]

    async def ours() -> None:
        for batch in batches[::2]:
            await queue.add_bulk([our_job(number) for number in batch])

    async def theirs() -> None:
        for batch in batches[1::2]:
            await node.do("addBulk", QUEUE, [their_job(number) for number in batch])

    await asyncio.gather(ours(), theirs())


async def completions(link: Link, queue: Queue) -> Counter[str]:
    """How often each job was announced as completed."""
    found: Counter[str] = Counter()
    after = b"-"
    while entries := await link.call("XRANGE", queue.keys.events, after, "+", "COUNT", 10_000):
        events = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in entries]
        found.update(
            event[b"jobId"].decode() for event in events if event[b"event"] == b"completed"
        )
        after = b"(" + entries[-1][0]
    return found


async def records(queue: Queue, job_ids: list[str]) -> list[JobRecord]:
    batches = [job_ids[start : start + BATCH] for start in range(0, len(job_ids), BATCH)]
    found = [record for batch in batches for record in await queue.jobs(batch)]
    return [record for record in found if record is not None]


async def test_two_processes_of_each_side_complete_each_job_once(
    valkey_server: Valkey, redis_url: str, link: Link, tmp_path: Path
) -> None:
    queue = Queue(QUEUE, link)
    await queue.open()
    files = [tmp_path / name for name in ("node-1", "node-2", "python-1", "python-2")]
    async with AsyncExitStack() as processes:
        nodes = [
            await processes.enter_async_context(node_peer(valkey_server.port)) for _ in range(2)
        ]

        async def counts_agree() -> bool:
            ours, theirs = await queue.counts(), await nodes[0].do("counts", QUEUE)
            shared = ours.keys() & theirs.keys()
            assert {state: ours[state] for state in shared} == {
                state: theirs[state] for state in shared
            }
            return sum(ours.values()) == sum(ours[state] for state in shared)

        # Every event is to be counted in the end; Node's queue writes its own limit when it opens.
        assert sum((await nodes[0].do("counts", QUEUE)).values()) == 0
        await link.call("HSET", queue.keys.meta, "opts.maxLenEvents", 1_000_000)
        await produce(nodes[0], queue, range(JOBS // 2))
        assert await counts_agree()
        for file in files[2:]:
            await processes.enter_async_context(worker_process(redis_url, file))
        for node, file in zip(nodes, files[:2], strict=True):
            await node.do("countRuns", QUEUE, str(file))
        await produce(nodes[0], queue, range(JOBS // 2, JOBS))

        async def all_done() -> bool:
            return (await queue.counts())["completed"] == JOBS

        await eventually(all_done, within=120, every=0.1)
        assert await counts_agree()
        assert sum((await queue.counts()).values()) == JOBS
        completed = await completions(link, queue)
        jobs = await records(queue, list(completed))

    assert set(completed.values()) == {1}
    assert sorted(job.data["number"] for job in jobs) == list(range(JOBS))
    assert {job.returnvalue["by"] for job in jobs if job.returnvalue} == {"node", "python"}
    runs = [line for file in files for line in file.read_text().splitlines()]
    expected = [
        f"{job.id} {attempt}" for job in jobs for attempt in range(1, job.data["failures"] + 2)
    ]
    assert sorted(runs) == sorted(expected)
    assert all(job.attempts_made == job.data["failures"] + 1 for job in jobs)
    assert all(file.stat().st_size > 0 for file in files)
