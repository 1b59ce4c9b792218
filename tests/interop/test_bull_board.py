"""Bull Board shows and changes the jobs that our queue made and our worker runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import JobError
from careerlens.queue import Flow, JobOptions, NewJob, Queue, QueueState, Schedule, add_flow
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from node_peer import node_peer
from support import Valkey, eventually, running

QUEUE = "watched"
ONE = WorkerOptions(concurrency=1, name="the-worker")


class Board:
    """What Bull Board's page asks of its server."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def queue(self, status: str = "latest") -> dict[str, Any]:
        asked: dict[str, str | int] = {
            "activeQueue": QUEUE,
            "status": status,
            "page": 1,
            "jobsPerPage": 20,
        }
        answer = await self._client.get("/api/queues", params=asked)
        answer.raise_for_status()
        [queue] = answer.json()["queues"]
        assert queue["name"] == QUEUE
        return dict(queue)

    async def jobs(self, status: str) -> dict[str, dict[str, Any]]:
        return {job["id"]: job for job in (await self.queue(status))["jobs"]}

    async def get(self, *path: str) -> Any:
        answer = await self._client.get(self._url(path))
        answer.raise_for_status()
        return answer.json()

    async def do(self, *path: str, method: str = "PUT", **body: Any) -> int:
        answer = await self._client.request(method, self._url(path), json=body)
        return answer.status_code

    def _url(self, path: tuple[str, ...]) -> str:
        return f"/api/queues/{QUEUE}/" + "/".join(quote(part, safe="") for part in path)


@pytest.fixture
async def board(valkey_server: Valkey, redis_url: str) -> AsyncIterator[Board]:
    async with node_peer(valkey_server.port) as peer:
        port = await peer.do("board", QUEUE)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield Board(client)


@pytest.fixture
async def queue(link: Link) -> Queue:
    queue = Queue(QUEUE, link)
    await queue.open()
    return queue


async def work(job: ActiveJob) -> dict[str, Any]:
    await job.update_progress({"percent": 40, "message": "on the way"})
    await job.log("one line")
    if job.record.data.get("fails"):
        raise JobError("no luck")
    return {"for": job.record.data.get("userId")}


def own_id(number: int) -> JobOptions:
    return JobOptions(job_id=f"user-1:{QUEUE}:1700000000000:{number:016}")


async def is_in(queue: Queue, job_id: str, state: QueueState) -> bool:
    return await queue.state(job_id) is state


async def test_it_lists_our_jobs_in_every_state(redis_url: str, board: Board, queue: Queue) -> None:
    done = await queue.add("greet", {"userId": "user-1"}, own_id(1))
    failed = await queue.add("greet", {"fails": True}, own_id(2))
    async with running(Worker(QUEUE, work, redis_url=redis_url, options=ONE)):
        await eventually(lambda: is_in(queue, failed, QueueState.FAILED))
        await eventually(lambda: is_in(queue, done, QueueState.COMPLETED))

        async def sees_the_worker() -> bool:
            return (await board.queue())["hasWorkers"] is True

        await eventually(sees_the_worker)
    later = await queue.add("greet", {}, JobOptions(delay_ms=60_000))
    urgent = await queue.add("greet", {}, JobOptions(priority=2))
    plain = await queue.add("greet", {})

    shown = (await board.jobs("completed"))[done]
    assert shown["returnValue"] == {"for": "user-1"}
    assert shown["progress"] == {"percent": 40, "message": "on the way"}
    assert (shown["attempts"], shown["processedBy"]) == (1, "the-worker")
    assert await board.get(done, "logs") == ["one line"]
    shown = (await board.jobs("failed"))[failed]
    assert shown["failedReason"] == "no luck"
    assert "JobError" in shown["stacktrace"][0]
    assert list(await board.jobs("delayed")) == [later]
    assert list(await board.jobs("prioritized")) == [urgent]
    assert list(await board.jobs("waiting")) == [plain]
    ours = await queue.counts()
    theirs = (await board.queue())["counts"]
    assert {state: ours[state] for state in ours if state in theirs} == {
        state: theirs[state] for state in ours if state in theirs
    }
    assert (await board.get(failed))["status"] == "failed"


async def test_it_retries_promotes_and_removes_our_jobs(
    redis_url: str, board: Board, queue: Queue
) -> None:
    failed = await queue.add("greet", {"fails": True}, own_id(1))
    later = await queue.add("greet", {}, JobOptions(delay_ms=60_000))
    urgent = await queue.add("greet", {}, JobOptions(priority=2, delay_ms=60_000))
    async with running(Worker(QUEUE, work, redis_url=redis_url, options=ONE)):
        await eventually(lambda: is_in(queue, failed, QueueState.FAILED))
        assert (
            await board.do(failed, "update-data", method="PATCH", jobData={"fails": False}) == 200
        )
        assert await board.do(failed, "retry") == 204
        await eventually(lambda: is_in(queue, failed, QueueState.COMPLETED))
        for job_id in (later, urgent):
            assert await board.do(job_id, "promote") == 204
            await eventually(partial(is_in, queue, job_id, QueueState.COMPLETED))
    for job_id in (failed, later, urgent):
        assert await board.do(job_id, "clean") == 204
        assert await queue.job(job_id) is None
    assert sum((await queue.counts()).values()) == 0


async def test_a_cancelled_job_that_it_retries_runs(
    redis_url: str, board: Board, queue: Queue
) -> None:
    go_on = asyncio.Event()

    async def hold(job: ActiveJob) -> None:
        await go_on.wait()

    waiting = await queue.add("greet", {}, JobOptions(delay_ms=60_000))
    active = await queue.add("greet", {}, JobOptions(attempts=3))
    async with running(Worker(QUEUE, hold, redis_url=redis_url)) as worker:
        await eventually(lambda: worker.stats.running == 1)
        for job_id in (waiting, active):
            await queue.cancel(job_id)
            await eventually(partial(is_in, queue, job_id, QueueState.FAILED))
        go_on.set()
        for job_id in (waiting, active):
            assert await board.do(job_id, "retry") == 204
            await eventually(partial(is_in, queue, job_id, QueueState.COMPLETED))


async def test_a_job_that_our_worker_runs_is_not_removed_under_it(
    redis_url: str, board: Board, queue: Queue
) -> None:
    go_on = asyncio.Event()

    async def hold(job: ActiveJob) -> None:
        await go_on.wait()

    job_id = await queue.add("greet", {})
    async with running(Worker(QUEUE, hold, redis_url=redis_url)) as worker:
        await eventually(lambda: worker.stats.running == 1)
        assert await board.do(job_id, "clean") == 409
        go_on.set()
        await eventually(lambda: is_in(queue, job_id, QueueState.COMPLETED))


async def test_it_pauses_our_workers_and_changes_the_order(
    redis_url: str, board: Board, queue: Queue
) -> None:
    order: list[str] = []

    async def note(job: ActiveJob) -> None:
        order.append(job.record.id)

    assert await board.do("pause") == 200
    assert await queue.is_paused()
    first = await queue.add("greet", {}, JobOptions(priority=1))
    second = await queue.add("greet", {}, JobOptions(priority=5))
    async with running(Worker(QUEUE, note, redis_url=redis_url, options=ONE)):
        assert await board.do(first, "priority", method="PATCH", priority=9) == 200
        await queue.change_priority(second, 3)
        assert order == []
        assert await board.do("resume") == 200
        await eventually(lambda: len(order) == 2)
    assert order == [second, first]


async def test_it_shows_and_removes_our_schedulers_and_flows(
    board: Board, queue: Queue, link: Link
) -> None:
    end_ms = epoch_ms() + 86_400_000 * 500
    schedule = Schedule(cron="0 0 1 1 *", tz="Europe/Berlin", end_ms=end_ms)
    armed = await queue.schedulers.upsert("yearly", schedule, NewJob(name="greet", data={}))
    assert (await board.queue())["jobSchedulerCount"] == 1
    assert await board.do(armed, "clean") == 400
    assert await board.do("job-schedulers", "yearly", "remove") in (200, 204)
    assert await queue.schedulers.all() == []
    child = Flow(queue=QUEUE, job=NewJob(name="child", data={}))
    parent = Flow(queue=QUEUE, job=NewJob(name="parent", data={}), children=[child])
    added = await add_flow(link, parent)
    assert list(await board.jobs("waiting-children")) == [added.job_id]
    flow = await board.get(added.job_id, "flow")
    assert added.children[0].job_id in str(flow)
