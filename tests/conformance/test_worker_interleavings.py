"""What a worker does when two things happen to a job, or to the worker, at the same time."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from careerlens.foundation.clock import epoch_ms
from careerlens.queue import JobOptions, NewJob, Queue, QueueState
from careerlens.wire import Link, QueueKeys
from careerlens.wire.calls import QueueCalls, fetch_options, finish_options
from careerlens.wire.scripts import own_script
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from faults import fault_proxy
from support import Valkey, eventually, running

QUEUE = "interleavings"
KEYS = QueueKeys(QUEUE)


@pytest.fixture
async def queue(link: Link) -> Queue:
    queue = Queue(QUEUE, link)
    await queue.open()
    return queue


async def is_drained(queue: Queue) -> bool:
    counts = await queue.counts()
    return sum(counts.values()) == counts["completed"] + counts["failed"]


class TestBeingCancelled:
    async def test_under_load_leaves_no_job_behind(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        """Takes, finishes that take and jobs taken ahead are all under way at that moment."""
        well_under_way = asyncio.Event()

        async def work(job: ActiveJob) -> None:
            if worker.stats.completed > 50:
                well_under_way.set()
            if int(job.record.data["number"]) % 3 == 0:
                await asyncio.sleep(0.001)

        jobs = [NewJob(name=QUEUE, data={"number": number}) for number in range(3_000)]
        await queue.add_bulk(jobs)
        options = WorkerOptions(concurrency=10)
        left = []
        for _ in range(12):
            worker = Worker(QUEUE, work, redis_url=redis_url, options=options)
            well_under_way.clear()
            run = asyncio.create_task(worker.run())
            await asyncio.wait_for(well_under_way.wait(), 10)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            left.append(await link.call("LLEN", KEYS.active))
        assert left == [0] * 12
        worker = Worker(QUEUE, work, redis_url=redis_url, options=options)
        async with running(worker):
            await eventually(lambda: is_drained(queue))
        assert (await queue.counts())["completed"] == len(jobs)


class TestHandlers:
    async def test_that_raise_what_is_no_exception_fail_their_attempt_only(
        self, redis_url: str, queue: Queue
    ) -> None:
        class Odd(BaseException):
            pass

        class SpeechlessError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no words")

        raised: list[BaseException] = [
            Odd("odd"),
            GeneratorExit(),
            SpeechlessError(),
            ValueError("a file named \udce4"),
            asyncio.CancelledError(),
        ]

        async def work(job: ActiveJob) -> str:
            if raised:
                raise raised.pop()
            return "done"

        async with running(Worker(QUEUE, work, redis_url=redis_url)) as worker:
            count = len(raised)
            for _ in range(count + 1):
                await queue.add(QUEUE, {}, JobOptions(attempts=1))
            await eventually(lambda: is_drained(queue))
            assert (worker.stats.failed, worker.stats.completed) == (count, 1)

    async def test_do_not_run_a_job_whose_lock_ran_out_before_we_heard_of_it(
        self, redis_url: str, queue: Queue
    ) -> None:
        """Three slots have sent their ends, which bring jobs, when a handler blocks the loop."""
        runs: Counter[str] = Counter()

        async def work(job: ActiveJob) -> None:
            runs[job.record.id] += 1
            if job.record.data["blocks"]:
                time.sleep(1.5)  # noqa: ASYNC251 (blocking the loop is the point)

        blocks = [False, False, False, True] + [False] * 6
        await queue.add_bulk([NewJob(name=QUEUE, data={"blocks": each}) for each in blocks])
        options = WorkerOptions(
            concurrency=4, lock_duration_ms=1_000, lock_renew_ms=250, stalled_interval_ms=250
        )
        async with running(Worker(QUEUE, work, redis_url=redis_url, options=options)):
            await eventually(lambda: is_drained(queue))
        assert (await queue.counts())["completed"] == len(blocks)
        assert set(runs.values()) == {1}


class TestLostTakes:
    async def test_are_looked_for_again_when_the_server_refuses_to_tell(
        self, valkey_factory: Callable[..., Valkey]
    ) -> None:
        """Here its rights are taken from the worker's user, and given back."""
        server = valkey_factory()

        async def work(job: ActiveJob) -> None: ...

        async with Link(server.url) as link, fault_proxy(server.port) as proxy:
            queue = Queue(QUEUE, link)
            await link.call("ACL", "SETUSER", "app", "on", ">secret", "+@all", "~*", "&*")
            url = proxy.url.replace("//", "//app:secret@")
            proxy.lose_reply_of(own_script("take").sha)
            await queue.add(QUEUE, {})
            await link.call("ACL", "SETUSER", "app", "-lrange")
            worker = Worker(QUEUE, work, redis_url=url, options=WorkerOptions(concurrency=1))
            async with running(worker):
                denied = partial(is_denied, link, "lrange")
                await eventually(denied)
                await link.call("ACL", "SETUSER", "app", "+lrange")
                await eventually(lambda: is_drained(queue))
            assert worker.stats.completed == 1


async def is_denied(link: Link, command: str) -> bool:
    """Whether a command has been refused to somebody for want of rights."""
    entries = await link.call("ACL", "LOG")
    return any(command.encode() in entry for entry in entries)


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"removeOnComplete": sys.float_info.max},
            {"removeOnComplete": {"age": sys.float_info.max, "count": 1e25}},
            {"attempts": 1e30},
        ],
    )
    async def test_beyond_all_numbers_do_not_stop_the_worker(
        self, redis_url: str, queue: Queue, link: Link, options: dict[str, object]
    ) -> None:
        """Node's producers say `Number.MAX_VALUE` where they mean all."""

        async def work(job: ActiveJob) -> None: ...

        job_id = await queue.add(QUEUE, {})
        await link.call("HSET", KEYS.job(job_id), "opts", json.dumps(options))
        async with running(Worker(QUEUE, work, redis_url=redis_url)):
            await eventually(lambda: is_drained(queue))
        assert await queue.state(job_id) is QueueState.COMPLETED


class TestCancelling:
    async def test_one_run_does_not_cancel_the_next(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        """A worker hears of cancellations of jobs that others run, and may run them later."""
        calls = QueueCalls(KEYS)

        async def work(job: ActiveJob) -> str:
            return "ran"

        job_id = await queue.add(QUEUE, {})
        await link.run(*calls.take(epoch_ms(), fetch_options("other", 15_000, None, None)))
        async with running(Worker(QUEUE, work, redis_url=redis_url)) as worker:
            await worker.ready()
            await queue.cancel(job_id)
            await eventually(lambda: job_id in worker._cancelling._recent)
            options = finish_options(
                "other", 15_000, None, None, keep={"count": -1}, attempts=1, stored={}
            )
            fields = {"cancelRequestedAt": 0}
            await link.run(
                *calls.finish(job_id, epoch_ms(), "failed", "x", options, fields, fetch_next=False)
            )
            await queue.retry(job_id)
            await eventually(lambda: is_drained(queue))
        assert await queue.state(job_id) is QueueState.COMPLETED


class TestOneAtATime:
    async def test_runs_jobs_in_the_order_of_the_queue(self, redis_url: str, queue: Queue) -> None:
        order: list[int] = []

        async def work(job: ActiveJob) -> None:
            number = job.record.data["number"]
            order.append(number)
            if number % 50 == 0:
                await asyncio.sleep(0.06)

        await queue.add_bulk([NewJob(name=QUEUE, data={"number": n}) for n in range(1_000)])
        options = WorkerOptions(concurrency=1)
        async with running(Worker(QUEUE, work, redis_url=redis_url, options=options)):
            await eventually(lambda: is_drained(queue))
        assert order == list(range(1_000))


class TestGlobalConcurrency:
    async def test_is_used_at_once_when_a_worker_stops_taking_ahead(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        """Short jobs let twice as many slots in; with the first long ones half of them leave."""

        async def work(job: ActiveJob) -> None:
            if job.record.data["takes_s"]:
                await asyncio.sleep(job.record.data["takes_s"])

        await link.call("HSET", KEYS.meta, "concurrency", 1)
        times = [0.0] * 200 + [0.02] * 10
        await queue.add_bulk([NewJob(name=QUEUE, data={"takes_s": each}) for each in times])
        options = WorkerOptions(concurrency=5, drain_delay_s=60)
        async with running(Worker(QUEUE, work, redis_url=redis_url, options=options)):
            await eventually(lambda: is_drained(queue), within=8)
