"""What becomes of a job, for everything that its handler may do."""

from __future__ import annotations

import asyncio
import contextvars
import math
import sys
import time
from typing import Any

import pytest

from careerlens.foundation.errors import JobError, UnrecoverableError
from careerlens.queue import Backoff, CancelOutcome, JobOptions, JobRecord, Queue, QueueState
from careerlens.wire import CANCELLED_CODE, CANCELLED_REASON, Link, QueueKeys
from careerlens.worker import ActiveJob, Limiter, Worker, WorkerOptions
from support import eventually, running

QUEUE = "outcomes"
KEYS = QueueKeys(QUEUE)
QUICK = WorkerOptions(
    concurrency=2, lock_duration_ms=1_200, lock_renew_ms=300, stalled_interval_ms=300
)


@pytest.fixture
async def queue(link: Link) -> Queue:
    queue = Queue(QUEUE, link)
    await queue.open()
    return queue


async def ended(queue: Queue, job_id: str, within: float = 10.0) -> tuple[JobRecord, QueueState]:
    """The job once it is completed or failed."""

    async def final() -> tuple[JobRecord, QueueState] | None:
        record, state = await queue.job_and_state(job_id)
        return (record, state) if record is not None and state.is_final else None

    found = await eventually(final, within=within)
    assert found is not None
    return found


async def events(link: Link) -> list[dict[str, str]]:
    entries = await link.call("XRANGE", KEYS.events, "-", "+")
    texts = [[part.decode() for part in flat] for _, flat in entries]
    return [dict(zip(flat[::2], flat[1::2], strict=True)) for flat in texts]


async def event_names(link: Link) -> list[str]:
    return [event["event"] for event in await events(link)]


async def test_a_returned_value_completes_the_job(redis_url: str, queue: Queue, link: Link) -> None:
    async def double(job: ActiveJob) -> dict[str, int]:
        return {"twice": job.record.data["number"] * 2}

    async with running(Worker(QUEUE, double, redis_url=redis_url)) as worker:
        job_id = await queue.add(QUEUE, {"number": 21})
        record, state = await ended(queue, job_id)
    assert state is QueueState.COMPLETED
    assert record.returnvalue == {"twice": 42}
    assert (record.attempts_made, record.attempts_started) == (1, 1)
    assert record.processed_on_ms is not None
    assert record.finished_on_ms is not None
    assert record.timestamp_ms <= record.finished_on_ms
    assert record.processed_on_ms <= record.finished_on_ms
    names = await event_names(link)
    assert names == ["added", "waiting", "active", "completed", "drained"]
    assert worker.stats.completed == 1
    assert await link.call("EXISTS", KEYS.lock(job_id)) == 0


@pytest.mark.parametrize(
    "result",
    [math.nan, {"deep": [math.inf]}, object(), {1, 2}, b"bytes", "x" * 1_048_577],
    ids=["nan", "infinity", "object", "set", "bytes", "too large"],
)
async def test_a_result_that_is_not_json_fails_at_once_and_is_not_retried(
    redis_url: str, queue: Queue, result: object
) -> None:
    runs = 0

    async def return_it(job: ActiveJob) -> object:
        nonlocal runs
        runs += 1
        return result

    async with running(Worker(QUEUE, return_it, redis_url=redis_url)):
        job_id = await queue.add(QUEUE, {}, JobOptions(attempts=3))
        record, state = await ended(queue, job_id)
    assert state is QueueState.FAILED
    assert record.error_code == "result_invalid"
    assert runs == 1
    assert len(record.raw["failedReason"]) < 1_000


async def test_a_recursive_result_is_invalid_too(redis_url: str, queue: Queue) -> None:
    async def return_a_loop(job: ActiveJob) -> list[Any]:
        loop: list[Any] = []
        loop.append(loop)
        return loop

    async with running(Worker(QUEUE, return_a_loop, redis_url=redis_url)):
        record, _ = await ended(queue, await queue.add(QUEUE, {}))
    assert record.error_code == "result_invalid"


async def test_a_raising_handler_is_retried_with_backoff_and_fails_in_the_end(
    redis_url: str, queue: Queue, link: Link
) -> None:
    attempts: list[int] = []

    async def fail(job: ActiveJob) -> None:
        attempts.append(job.attempt)
        raise JobError(f"no luck {job.attempt}", code="bad_luck")

    async with running(Worker(QUEUE, fail, redis_url=redis_url)) as worker:
        options = JobOptions(attempts=3, backoff=Backoff(delay_ms=5, jitter=0.5))
        record, state = await ended(queue, await queue.add(QUEUE, {}, options))
    assert state is QueueState.FAILED
    assert attempts == [1, 2, 3]
    assert (record.failed_reason, record.error_code) == ("no luck 3", "bad_luck")
    assert record.attempts_made == 3
    assert len(record.stacktrace) == 3
    assert "JobError" in record.stacktrace[-1]
    assert (worker.stats.retried, worker.stats.failed) == (2, 1)
    names = await event_names(link)
    assert names.count("delayed") == 2
    assert names.count("failed") == 1
    assert "retries-exhausted" in names


async def test_without_a_backoff_the_next_attempt_is_at_once(
    redis_url: str, queue: Queue, link: Link
) -> None:
    async def fail_once(job: ActiveJob) -> str:
        if job.attempt == 1:
            raise ValueError("not yet")
        return "done"

    async with running(Worker(QUEUE, fail_once, redis_url=redis_url)):
        for options in (JobOptions(attempts=2), JobOptions(attempts=2, priority=3)):
            record, state = await ended(queue, await queue.add(QUEUE, {}, options))
            assert state is QueueState.COMPLETED
            assert record.attempts_made == 2
    assert "delayed" not in await event_names(link)


async def test_an_unrecoverable_error_is_not_retried(redis_url: str, queue: Queue) -> None:
    runs = 0

    async def give_up(job: ActiveJob) -> None:
        nonlocal runs
        runs += 1
        raise UnrecoverableError("never", code="invalid_input")

    async with running(Worker(QUEUE, give_up, redis_url=redis_url)):
        record, _ = await ended(queue, await queue.add(QUEUE, {}, JobOptions(attempts=5)))
    assert (runs, record.error_code) == (1, "invalid_input")


async def test_the_failure_reads_as_described(redis_url: str, queue: Queue) -> None:
    async def crash(job: ActiveJob) -> None:
        raise KeyError("internal detail")

    worker = Worker(
        QUEUE, crash, redis_url=redis_url, describe_failure=lambda _: ("Please try again.", "oops")
    )
    async with running(worker):
        record, _ = await ended(queue, await queue.add(QUEUE, {}))
    assert (record.failed_reason, record.error_code) == ("Please try again.", "oops")


async def test_a_handler_that_exits_fails_its_job_only(redis_url: str, queue: Queue) -> None:
    async def leave(job: ActiveJob) -> str:
        if job.record.data.get("leave"):
            sys.exit(3)
        return "stayed"

    async with running(Worker(QUEUE, leave, redis_url=redis_url)):
        _, left = await ended(queue, await queue.add(QUEUE, {"leave": True}))
        _, stayed = await ended(queue, await queue.add(QUEUE, {}))
    assert (left, stayed) == (QueueState.FAILED, QueueState.COMPLETED)


async def test_a_handler_that_cancels_itself_fails_its_job_only(
    redis_url: str, queue: Queue
) -> None:
    async def cancel_itself(job: ActiveJob) -> None:
        raise asyncio.CancelledError

    async with running(Worker(QUEUE, cancel_itself, redis_url=redis_url)):
        _, state = await ended(queue, await queue.add(QUEUE, {}))
    assert state is QueueState.FAILED


async def test_progress_and_log_lines_are_stored_and_announced(
    redis_url: str, queue: Queue, link: Link
) -> None:
    async def report(job: ActiveJob) -> None:
        await job.update_progress({"percent": 40, "message": "Drafting"})
        await job.log("half of it")
        with pytest.raises(ValueError, match="JSON"):
            await job.update_progress(math.nan)

    async with running(Worker(QUEUE, report, redis_url=redis_url)):
        job_id = await queue.add(QUEUE, {})
        record, state = await ended(queue, job_id)
    assert state is QueueState.COMPLETED
    assert record.progress == {"percent": 40, "message": "Drafting"}
    assert await queue.logs(job_id) == ["half of it"]
    progress = [event for event in await events(link) if event["event"] == "progress"]
    assert [event["data"] for event in progress] == ['{"percent":40,"message":"Drafting"}']


async def test_a_delayed_job_does_not_wait_for_the_next_look(redis_url: str, queue: Queue) -> None:
    """The worker looks by itself only each minute here, and is idle before and between."""
    ran_at: list[float] = []

    async def note(job: ActiveJob) -> None:
        ran_at.append(time.time() * 1000)

    options = WorkerOptions(drain_delay_s=60)
    async with running(Worker(QUEUE, note, redis_url=redis_url, options=options)):
        due = [await queue.add(QUEUE, {}, JobOptions(delay_ms=delay)) for delay in (600, 200, 400)]
        records = [(await ended(queue, job_id))[0] for job_id in due]
    wanted = sorted(record.timestamp_ms + int(record.opts["delay"]) for record in records)
    late = [ran - due_ms for ran, due_ms in zip(ran_at, wanted, strict=True)]
    assert all(-2 <= milliseconds < 500 for milliseconds in late), late


async def test_plain_jobs_come_first_and_then_by_priority(redis_url: str, queue: Queue) -> None:
    order: list[str] = []

    async def note(job: ActiveJob) -> None:
        order.append(job.record.data["name"])

    for name, priority in (("low", 9), ("high", 1), ("plain", 0), ("high too", 1)):
        await queue.add(QUEUE, {"name": name}, JobOptions(priority=priority))
    options = WorkerOptions(concurrency=1)
    async with running(Worker(QUEUE, note, redis_url=redis_url, options=options)):
        await eventually(lambda: len(order) == 4)
    assert order == ["plain", "high", "high too", "low"]


async def test_no_more_jobs_run_at_once_than_allowed(redis_url: str, queue: Queue) -> None:
    together, most = 0, 0

    async def count(job: ActiveJob) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.01)
        together -= 1

    job_ids = [await queue.add(QUEUE, {}) for _ in range(30)]
    options = WorkerOptions(concurrency=4)
    async with running(Worker(QUEUE, count, redis_url=redis_url, options=options)) as worker:
        for job_id in job_ids:
            await ended(queue, job_id)
    assert most == 4
    assert worker.stats.completed == 30


async def test_one_job_cannot_see_the_context_of_another(redis_url: str, queue: Queue) -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")
    seen: list[str] = []

    async def remember(job: ActiveJob) -> None:
        seen.append(user.get())
        user.set(job.record.id)

    options = WorkerOptions(concurrency=1)
    async with running(Worker(QUEUE, remember, redis_url=redis_url, options=options)):
        for _ in range(3):
            await ended(queue, await queue.add(QUEUE, {}))
    assert seen == ["nobody"] * 3


async def test_an_id_without_data_fails_as_a_ghost_and_does_not_run(
    redis_url: str, queue: Queue, link: Link
) -> None:
    runs = 0

    async def run(job: ActiveJob) -> None:
        nonlocal runs
        runs += 1

    job_ids = [await queue.add(QUEUE, {}, JobOptions(priority=n)) for n in (0, 1)]
    await link.call("DEL", *(KEYS.job(job_id) for job_id in job_ids))
    async with running(Worker(QUEUE, run, redis_url=redis_url)) as worker:
        for job_id in job_ids:
            record, state = await ended(queue, job_id)
            assert (state, record.error_code) == (QueueState.FAILED, "ghost")
    assert (runs, worker.stats.ghosts) == (0, 2)


async def test_a_job_that_bullmq_gave_up_fails_without_running(
    redis_url: str, queue: Queue, link: Link
) -> None:
    runs = 0

    async def run(job: ActiveJob) -> None:
        nonlocal runs
        runs += 1

    job_id = await queue.add(QUEUE, {}, JobOptions(attempts=3))
    await link.call("HSET", KEYS.job(job_id), "defa", "job stalled more than allowable limit")
    async with running(Worker(QUEUE, run, redis_url=redis_url)):
        record, state = await ended(queue, job_id)
    assert (state, runs) == (QueueState.FAILED, 0)
    assert record.error_code == "stalled"
    assert record.stacktrace == ["job stalled more than allowable limit"]
    assert "defa" not in record.raw


async def test_a_paused_queue_gives_nothing_until_it_is_resumed(
    redis_url: str, queue: Queue
) -> None:
    async def run(job: ActiveJob) -> None: ...

    async with running(Worker(QUEUE, run, redis_url=redis_url)) as worker:
        await ended(queue, await queue.add(QUEUE, {}))
        await queue.pause()
        job_ids = [await queue.add(QUEUE, {}, JobOptions(priority=n)) for n in (0, 1)]
        assert worker.stats.taken == 1
        assert (await queue.counts())["waiting"] == 1
        await queue.resume()
        for job_id in job_ids:
            await ended(queue, job_id)


async def test_the_rate_limit_spreads_jobs_over_time(redis_url: str, queue: Queue) -> None:
    starts: list[float] = []

    async def note(job: ActiveJob) -> None:
        starts.append(time.monotonic())

    for _ in range(5):
        await queue.add(QUEUE, {})
    options = WorkerOptions(limiter=Limiter(max_jobs=2, duration_ms=300), drain_delay_s=60)
    async with running(Worker(QUEUE, note, redis_url=redis_url, options=options)):
        await eventually(lambda: len(starts) == 5)
    assert starts[4] - starts[0] >= 0.55
    assert starts[2] - starts[0] >= 0.25


async def test_children_must_end_before_their_parent_completes(
    redis_url: str, queue: Queue, link: Link
) -> None:
    async def run(job: ActiveJob) -> None: ...

    job_id = await queue.add(QUEUE, {})
    await link.call("SADD", f"{KEYS.job(job_id)}:dependencies", "bull:other:1")
    async with running(Worker(QUEUE, run, redis_url=redis_url)):
        record, state = await ended(queue, job_id)
    assert (state, record.error_code) == (QueueState.FAILED, "children_unfinished")


class TestCancelling:
    async def test_a_running_job_is_interrupted_and_ends_cancelled(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        started, cleaned_up = asyncio.Event(), asyncio.Event()

        async def work(job: ActiveJob) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                assert job.cancel_requested
                cleaned_up.set()

        async with running(Worker(QUEUE, work, redis_url=redis_url)) as worker:
            job_id = await queue.add(QUEUE, {}, JobOptions(attempts=3))
            await started.wait()
            assert await queue.cancel(job_id) is CancelOutcome.REQUESTED
            record, state = await ended(queue, job_id, within=2)
            assert await queue.cancel(job_id) is CancelOutcome.ALREADY_FINAL
        assert cleaned_up.is_set()
        assert state is QueueState.FAILED
        assert (record.failed_reason, record.error_code) == (CANCELLED_REASON, CANCELLED_CODE)
        assert record.cancel_requested_at_ms is None
        assert worker.stats.cancelled == 1
        assert (await event_names(link)).count("failed") == 1

    async def test_a_lost_message_is_made_up_for_at_the_next_renewal(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        started = asyncio.Event()

        async def work(job: ActiveJob) -> None:
            started.set()
            await asyncio.Event().wait()

        async with running(Worker(QUEUE, work, redis_url=redis_url, options=QUICK)):
            job_id = await queue.add(QUEUE, {})
            await started.wait()
            await link.call("HSET", KEYS.job(job_id), "cancelRequestedAt", "1")
            record, _ = await ended(queue, job_id, within=3)
        assert record.failed_reason == CANCELLED_REASON

    @pytest.mark.parametrize(
        "options",
        [JobOptions(), JobOptions(priority=7), JobOptions(delay_ms=60_000)],
        ids=["waiting", "prioritized", "delayed"],
    )
    async def test_a_job_that_does_not_run_ends_at_once(
        self, queue: Queue, link: Link, options: JobOptions
    ) -> None:
        job_id = await queue.add(QUEUE, {}, options)
        assert await queue.cancel(job_id) is CancelOutcome.CANCELLED
        record, state = await queue.job_and_state(job_id)
        assert record is not None
        assert state is QueueState.FAILED
        assert (record.failed_reason, record.error_code) == (CANCELLED_REASON, CANCELLED_CODE)
        assert record.attempts_made == 0
        assert record.finished_on_ms is not None
        counts = await queue.counts()
        assert {name: n for name, n in counts.items() if n} == {"failed": 1}
        assert await link.call("EXISTS", KEYS.lock(job_id), KEYS.stalled) == 0
        failed = [event for event in await events(link) if event["event"] == "failed"]
        assert [event["failedReason"] for event in failed] == [CANCELLED_REASON]
        assert (await event_names(link))[-1] == "drained"
        assert "retries-exhausted" not in await event_names(link)

    async def test_a_cancelled_child_frees_its_parent(self, queue: Queue, link: Link) -> None:
        """As BullMQ's own failure does for a child with `ignoreDependencyOnFailure`."""
        parent, child = await queue.add(QUEUE, {}), await queue.add(QUEUE, {})
        await link.call("LREM", KEYS.wait, 1, parent)
        await link.call("ZADD", KEYS.waiting_children, 1, parent)
        await link.call("SADD", f"{KEYS.job(parent)}:dependencies", KEYS.job(child))
        family = f'{{"id":"{parent}","queueKey":"bull:{QUEUE}","idof":true}}'
        await link.call("HSET", KEYS.job(child), "parentKey", KEYS.job(parent), "parent", family)
        assert await queue.cancel(child) is CancelOutcome.CANCELLED
        assert await queue.state(parent) is QueueState.WAITING

    async def test_unknown_and_final_jobs_are_told_apart(self, queue: Queue) -> None:
        assert await queue.cancel("nobody") is CancelOutcome.NOT_FOUND
        job_id = await queue.add(QUEUE, {})
        await queue.cancel(job_id)
        assert await queue.cancel(job_id) is CancelOutcome.ALREADY_FINAL

    async def test_a_cancelled_job_runs_when_it_is_retried(
        self, redis_url: str, queue: Queue
    ) -> None:
        started = asyncio.Event()

        async def work(job: ActiveJob) -> str:
            if not started.is_set():
                started.set()
                await asyncio.Event().wait()
            return "ran"

        async with running(Worker(QUEUE, work, redis_url=redis_url)):
            job_id = await queue.add(QUEUE, {})
            await started.wait()
            await queue.cancel(job_id)
            await ended(queue, job_id)
            await queue.retry(job_id)
            await eventually(lambda: _is_completed(queue, job_id))

    async def test_cancelling_and_completing_at_once_leaves_one_end(
        self, redis_url: str, queue: Queue, link: Link
    ) -> None:
        async def work(job: ActiveJob) -> str:
            await asyncio.sleep(0.001 * job.record.data["n"])
            return "done"

        options = WorkerOptions(concurrency=20)
        async with running(Worker(QUEUE, work, redis_url=redis_url, options=options)):
            job_ids = [await queue.add(QUEUE, {"n": n % 10}) for n in range(100)]
            outcomes = await asyncio.gather(*(queue.cancel(job_id) for job_id in job_ids))
            ends = [await ended(queue, job_id) for job_id in job_ids]
        for outcome, (record, state) in zip(outcomes, ends, strict=True):
            was_cancelled = record.failed_reason == CANCELLED_REASON
            assert (state is QueueState.FAILED) == was_cancelled
            if outcome is CancelOutcome.CANCELLED:
                assert was_cancelled
            if outcome is CancelOutcome.ALREADY_FINAL:
                assert state is QueueState.COMPLETED
        final = [e["jobId"] for e in await events(link) if e["event"] in ("completed", "failed")]
        assert sorted(final) == sorted(job_ids)


async def _is_completed(queue: Queue, job_id: str) -> bool:
    return await queue.state(job_id) is QueueState.COMPLETED
