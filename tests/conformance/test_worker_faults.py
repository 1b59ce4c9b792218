"""A worker among failing connections, servers and neighbours."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest
import redis.asyncio

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.queue import JobOptions, NewJob, Queue, QueueState
from careerlens.wire import CommandRejectedError, Link, QueueKeys
from careerlens.wire.scripts import bullmq_script, own_script
from careerlens.worker import ActiveJob, Worker, WorkerOptions
from faults import FaultProxy, fault_proxy
from support import Valkey, eventually, insist, running

QUEUE = "faults"
KEYS = QueueKeys(QUEUE)
QUICK = WorkerOptions(
    concurrency=2, lock_duration_ms=1_200, lock_renew_ms=300, stalled_interval_ms=300
)


@pytest.fixture
async def queue(link: Link) -> Queue:
    queue = Queue(QUEUE, link)
    await queue.open()
    return queue


@pytest.fixture
async def proxy(valkey_server: Valkey, redis_url: str) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(valkey_server.port) as proxy:
        yield proxy


def completed(queue: Queue, count: int) -> Callable[[], Awaitable[bool]]:
    async def are_completed() -> bool:
        counts = await queue.counts()
        return counts["completed"] == count and sum(counts.values()) == count

    return are_completed


class TestLostReplies:
    async def test_of_a_finish_is_no_failure_and_no_second_run(
        self, proxy: FaultProxy, queue: Queue, link: Link
    ) -> None:
        runs: list[str] = []

        async def work(job: ActiveJob) -> str:
            runs.append(job.record.id)
            return "done"

        finish = own_script("finish").sha
        async with running(Worker(QUEUE, work, redis_url=proxy.url)) as worker:
            for number in range(1, 11):
                proxy.lose_reply_of(finish)
                await queue.add(QUEUE, {}, JobOptions(attempts=3))
                await eventually(completed(queue, number))
            await eventually(lambda: worker.stats.completed == 10)
        assert proxy.lost >= 10
        assert len(runs) == 10
        assert (worker.stats.failed, worker.stats.retried, worker.stats.lost) == (0, 0, 0)

    async def test_of_a_finish_among_many_jobs_loses_none(
        self, proxy: FaultProxy, queue: Queue, link: Link
    ) -> None:
        """Each lost reply may also have brought the slot's next job."""
        runs: list[str] = []

        async def work(job: ActiveJob) -> str:
            runs.append(job.record.id)
            return "done"

        for _ in range(200):
            await queue.add(QUEUE, {}, JobOptions(priority=1))
        finish = own_script("finish").sha
        proxy.lose_reply_of(finish, times=10)
        options = WorkerOptions(concurrency=8)
        async with running(Worker(QUEUE, work, redis_url=proxy.url, options=options)) as worker:
            await eventually(completed(queue, 200), within=30)
        assert proxy.lost > 0
        assert sorted(runs) == sorted(set(runs))
        assert (worker.stats.failed, worker.stats.retried) == (0, 0)

    async def test_of_a_take_leaves_no_orphan(
        self, proxy: FaultProxy, queue: Queue, link: Link
    ) -> None:
        runs: list[str] = []

        async def work(job: ActiveJob) -> None:
            runs.append(job.record.id)

        take = own_script("take").sha
        options = WorkerOptions(concurrency=1)
        async with running(Worker(QUEUE, work, redis_url=proxy.url, options=options)) as worker:
            for number in range(1, 6):
                proxy.lose_reply_of(take)
                await queue.add(QUEUE, {})
                await eventually(completed(queue, number))
        assert len(runs) == len(set(runs)) == 5
        assert worker.stats.resolved >= 1
        assert worker.stats.rescued == 0

    async def test_of_progress_does_not_fail_the_job(
        self, proxy: FaultProxy, queue: Queue, link: Link
    ) -> None:
        async def work(job: ActiveJob) -> None:
            proxy.lose_reply_of(bullmq_script("updateProgress").sha)
            await job.update_progress(50)

        async with running(Worker(QUEUE, work, redis_url=proxy.url)):
            job_id = await queue.add(QUEUE, {})
            await eventually(completed(queue, 1))
        record = await queue.job(job_id)
        assert record is not None
        assert record.progress == 50
        assert proxy.lost == 1

    async def test_of_a_retry_counts_one_attempt(
        self, proxy: FaultProxy, queue: Queue, link: Link
    ) -> None:
        attempts: list[int] = []

        async def work(job: ActiveJob) -> None:
            attempts.append(job.attempt)
            if job.attempt == 1:
                proxy.lose_reply_of(bullmq_script("retryJob").sha)
                raise ValueError("again")

        async with running(Worker(QUEUE, work, redis_url=proxy.url)):
            await queue.add(QUEUE, {}, JobOptions(attempts=3))
            await eventually(completed(queue, 1))
        assert attempts == [1, 2]


class TestConnections:
    async def test_cut_while_idle_do_not_delay_the_next_job(
        self, proxy: FaultProxy, queue: Queue, link: Link
    ) -> None:
        async def work(job: ActiveJob) -> None: ...

        options = WorkerOptions(drain_delay_s=60)
        async with running(Worker(QUEUE, work, redis_url=proxy.url, options=options)) as worker:
            for number in range(1, 4):
                proxy.cut_all()
                await eventually(lambda: worker.is_healthy, within=3)
                await queue.add(QUEUE, {})
                await eventually(completed(queue, number), within=3)

    async def test_killed_again_and_again_lose_nothing(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        runs: list[str] = []

        async def work(job: ActiveJob) -> None:
            runs.append(job.record.id)
            await asyncio.sleep(0.005)

        options = WorkerOptions(concurrency=5)
        async with (
            redis.asyncio.Redis.from_url(redis_url) as admin,
            running(Worker(QUEUE, work, redis_url=redis_url, options=options)) as worker,
        ):
            for number in range(200):
                named = JobOptions(job_id=f"job-{number}")
                await insist(partial(queue.add, QUEUE, {}, named))
                if number % 40 == 20:
                    await admin.client_kill_filter(_type="normal", skipme=True)
            await eventually(lambda: insist(completed(queue, 200)), within=30)
        assert worker.stats.failed == 0
        assert sorted(runs) == sorted(set(runs))

    async def test_a_server_that_was_away_is_waited_for(
        self, valkey_factory: Callable[..., Valkey]
    ) -> None:
        server = valkey_factory(durable=True, appendfsync="always")
        go_on = asyncio.Event()

        async def work(job: ActiveJob) -> str:
            await go_on.wait()
            await job.update_progress(1)
            return "done"

        async with (
            Link(server.url) as link,
            running(Worker(QUEUE, work, redis_url=server.url)) as worker,
        ):
            queue = Queue(QUEUE, link)
            await queue.add(QUEUE, {}, JobOptions(job_id="before"))
            await eventually(lambda: worker.stats.running == 1)
            server.kill()
            go_on.set()
            await eventually(lambda: not worker.is_healthy)
            server.start()
            await insist(lambda: queue.add(QUEUE, {}, JobOptions(job_id="after")))
            await eventually(lambda: insist(completed(queue, 2)), within=15)
            record = await queue.job("before")
        assert record is not None
        assert (record.returnvalue, record.attempts_started) == ("done", 1)

    async def test_forgotten_scripts_are_handed_over_again(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        async def work(job: ActiveJob) -> None:
            await link.call("SCRIPT", "FLUSH")
            await job.update_progress(1)

        async with running(Worker(QUEUE, work, redis_url=redis_url)) as worker:
            for _ in range(20):
                await queue.add(QUEUE, {})
                await link.call("SCRIPT", "FLUSH")
            await eventually(completed(queue, 20))
        assert worker.stats.failed == 0

    async def test_a_server_that_refuses_for_a_while_is_waited_for(
        self, valkey_factory: Callable[..., Valkey]
    ) -> None:
        """First it is a replica, then it is kept busy by a script; nothing runs twice."""
        server = valkey_factory(**{"busy-reply-threshold": "50"})
        runs: list[str] = []

        async def work(job: ActiveJob) -> None:
            runs.append(job.record.id)
            await asyncio.sleep(0.005)

        admin = redis.asyncio.Redis.from_url(server.url)
        async with admin, Link(server.url) as link, Link(server.url) as other:
            queue = Queue(QUEUE, link)
            worker = Worker(QUEUE, work, redis_url=server.url)
            async with running(worker):
                await queue.add_bulk([NewJob(name=QUEUE, data={}) for _ in range(200)])
                await eventually(lambda: len(runs) > 20)
                await admin.replicaof("127.0.0.1", 1)
                with pytest.raises(ServiceUnavailableError, match="READONLY"):
                    await queue.pause()
                await admin.replicaof("NO", "ONE")
                before = len(runs)
                await eventually(lambda: len(runs) > before)
                spinning = asyncio.create_task(other.call("EVAL", "while true do end", 0))

                async def is_busy() -> bool:
                    try:
                        await link.call("PING")
                    except ServiceUnavailableError as error:
                        return "BUSY" in error.problem
                    return False

                await eventually(is_busy)
                await admin.script_kill()
                with pytest.raises(CommandRejectedError, match="killed"):
                    await spinning
                await eventually(lambda: insist(completed(queue, 200)), within=30)
        assert sorted(runs) == sorted(set(runs))
        assert worker.stats.failed == 0


class TestLocks:
    async def test_are_renewed_while_a_handler_blocks_the_event_loop(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        """A neighbour's stalled checks must find the lock alive, three lock times long."""
        runs = 0
        done = asyncio.Event()

        async def block(job: ActiveJob) -> str:
            nonlocal runs
            runs += 1
            deadline = time.monotonic() + 3.6
            while time.monotonic() < deadline:
                time.sleep(0.01)  # noqa: ASYNC251 (blocking the loop is the point)
                client.set("blocked", 1)
            done.set()
            return "done"

        script = bullmq_script("moveStalledJobsToWait")
        with redis.Redis.from_url(redis_url) as client:
            # Another process checks for stalled jobs, since our own loop is blocked.
            checker = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _CHECKER, redis_url, KEYS.base, script.source.decode()
            )
            try:
                worker = Worker(QUEUE, block, redis_url=redis_url, options=QUICK)
                async with running(worker):
                    job_id = await queue.add(QUEUE, {})
                    await done.wait()
                    await eventually(completed(queue, 1))
            finally:
                checker.terminate()
                await checker.wait()
        record = await queue.job(job_id)
        assert record is not None
        assert (runs, record.stalled_count, record.attempts_started) == (1, 0, 1)

    async def test_lost_to_another_worker_stop_the_handler_and_its_words(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        started, stopped = asyncio.Event(), asyncio.Event()

        async def work(job: ActiveJob) -> str:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await job.update_progress("of a zombie")
                stopped.set()
            return "of a zombie"

        async with running(Worker(QUEUE, work, redis_url=redis_url, options=QUICK)) as worker:
            job_id = await queue.add(QUEUE, {})
            await started.wait()
            await link.call("SET", KEYS.lock(job_id), "somebody else", "PX", 60_000)
            await eventually(stopped.is_set, within=3)
            await eventually(lambda: worker.stats.lost == 1)
            record, state = await queue.job_and_state(job_id)
        assert record is not None
        assert (state, record.progress, record.returnvalue) == (QueueState.ACTIVE, None, None)

    async def test_a_job_removed_while_it_runs_is_dropped(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        async def work(job: ActiveJob) -> None:
            await link.call("DEL", KEYS.job(job.record.id), KEYS.lock(job.record.id))
            await link.call("LREM", KEYS.active, 0, job.record.id)
            await job.update_progress(1)

        async with running(Worker(QUEUE, work, redis_url=redis_url)) as worker:
            await queue.add(QUEUE, {})
            await eventually(lambda: worker.stats.lost == 1)
        assert sum((await queue.counts()).values()) == 0

    async def test_of_a_vanished_worker_run_out_and_another_takes_over(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        started = asyncio.Event()

        async def hang(job: ActiveJob) -> None:
            started.set()
            await asyncio.Event().wait()

        async def work(job: ActiveJob) -> str:
            return "rescued"

        one_slot = replace(QUICK, concurrency=1)
        first = Worker(QUEUE, hang, redis_url=redis_url, options=one_slot)
        async with asyncio.TaskGroup() as group:
            run = group.create_task(first.run())
            job_id = await queue.add(QUEUE, {}, JobOptions(attempts=1))
            await started.wait()
            first._locks._stopping.set()  # it goes silent, as a frozen process would
            async with running(Worker(QUEUE, work, redis_url=redis_url, options=QUICK)) as second:
                await eventually(completed(queue, 1))
                assert second.stats.completed == 1
            await first.stop(grace_s=1)
            await run
        record = await queue.job(job_id)
        assert record is not None
        assert (record.returnvalue, record.stalled_count) == ("rescued", 1)
        assert first.stats.lost == 1


class TestStopping:
    async def test_waits_for_running_jobs_and_takes_no_more(
        self, redis_url: str, queue: Queue
    ) -> None:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def work(job: ActiveJob) -> str:
            started.set()
            await go_on.wait()
            return "done"

        options = WorkerOptions(concurrency=1)
        async with running(Worker(QUEUE, work, redis_url=redis_url, options=options)) as worker:
            first, second = await queue.add(QUEUE, {}), await queue.add(QUEUE, {})
            await started.wait()
            stopping = asyncio.create_task(worker.stop(grace_s=10))
            await eventually(lambda: worker.is_stopping)
            go_on.set()
            await stopping
        assert await queue.state(first) is QueueState.COMPLETED
        assert await queue.state(second) is QueueState.WAITING

    @pytest.mark.parametrize("priority", [0, 5])
    async def test_hands_back_what_does_not_end_in_time(
        self, redis_url: str, queue: Queue, priority: int
    ) -> None:
        async def hang(job: ActiveJob) -> None:
            await asyncio.Event().wait()

        async def work(job: ActiveJob) -> int:
            return job.attempt

        first = Worker(QUEUE, hang, redis_url=redis_url)
        idle = WorkerOptions(drain_delay_s=60)
        async with running(first):
            job_id = await queue.add(QUEUE, {}, JobOptions(priority=priority, attempts=1))
            await eventually(lambda: first.stats.running == 1)
            second = Worker(QUEUE, work, redis_url=redis_url, options=idle)
            async with running(second):
                began = time.monotonic()
                await first.stop(grace_s=1)
                assert time.monotonic() - began < 2
                await eventually(completed(queue, 1), within=2)
        record = await queue.job(job_id)
        assert record is not None
        assert (record.returnvalue, record.attempts_made, record.stalled_count) == (1, 1, 0)
        assert first.stats.handed_back == 1

    async def test_does_not_wait_for_a_handler_that_ignores_it(
        self, redis_url: str, queue: Queue
    ) -> None:
        begun, released = asyncio.Event(), asyncio.Event()

        async def ignore(job: ActiveJob) -> None:
            begun.set()
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue

        worker = Worker(QUEUE, ignore, redis_url=redis_url)
        async with running(worker):
            job_id = await queue.add(QUEUE, {})
            await begun.wait()
            began = time.monotonic()
            await worker.stop(grace_s=0.5)
            assert time.monotonic() - began < 3
        assert await queue.state(job_id) is QueueState.ACTIVE
        released.set()

    async def test_does_not_wait_for_a_server_that_is_away(
        self, valkey_factory: Callable[..., Valkey]
    ) -> None:
        started = asyncio.Event()

        async def hang(job: ActiveJob) -> None:
            started.set()
            await asyncio.Event().wait()

        server = valkey_factory()
        worker = Worker(QUEUE, hang, redis_url=server.url)
        async with Link(server.url) as link, running(worker):
            await Queue(QUEUE, link).add(QUEUE, {})
            await started.wait()
            server.kill()
            began = time.monotonic()
            await worker.stop(grace_s=1)
            assert time.monotonic() - began < 6

    async def test_twice_before_and_after_is_harmless(self, redis_url: str, queue: Queue) -> None:
        async def work(job: ActiveJob) -> None: ...

        await Worker(QUEUE, work, redis_url=redis_url).stop(grace_s=1)
        async with running(Worker(QUEUE, work, redis_url=redis_url)) as worker:
            await asyncio.gather(worker.stop(grace_s=1), worker.stop(grace_s=1))
            await worker.stop(grace_s=1)

    async def test_being_cancelled_hands_jobs_back(self, redis_url: str, queue: Queue) -> None:
        async def hang(job: ActiveJob) -> None:
            await asyncio.Event().wait()

        worker = Worker(QUEUE, hang, redis_url=redis_url)
        run = asyncio.create_task(worker.run())
        job_id = await queue.add(QUEUE, {})
        await eventually(lambda: worker.stats.running == 1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert await queue.state(job_id) is QueueState.WAITING

    async def test_many_starts_and_stops_lose_nothing(self, redis_url: str, queue: Queue) -> None:
        runs: list[str] = []

        async def work(job: ActiveJob) -> None:
            runs.append(job.record.id)
            await asyncio.sleep(0.002)

        for _ in range(300):
            await queue.add(QUEUE, {})
        for _ in range(15):
            async with running(Worker(QUEUE, work, redis_url=redis_url)) as worker:
                await eventually(lambda: worker.stats.taken > 5 or len(runs) >= 300)
        async with running(Worker(QUEUE, work, redis_url=redis_url)):
            await eventually(completed(queue, 300))
        assert sorted(runs) == sorted(set(runs))


_CHECKER = """
import sys, time, redis
url, base, script = sys.argv[1:]
names = "stalled wait active stalled-check meta paused marker events repeat".split()
client = redis.Redis.from_url(url)
while True:
    keys = [base + name for name in names]
    client.eval(script, 9, *keys, 3, base, int(time.time() * 1000), 100)
    time.sleep(0.1)
"""
