"""Runs one job after another, as fast as the server brings them.

    take ──▶ run the handler ──▶ send the end ──▶ reply: the next job ──▶ run the handler …
                   │                  │             │
                   └──────────────────┴─────────────┴──▶ anything unusual: `Finishing`

While all goes well nothing waits in the slot's own task: the handler's task sends the end, and
the reply begins the next handler from within the connection. That spares each job two turns of
the event loop and two futures.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from careerlens.foundation.logging import get_logger
from careerlens.wire.calls import QueueCalls
from careerlens.wire.link import Link
from careerlens.worker.cancelling import Cancelling
from careerlens.worker.fetching import Fetching, Taken
from careerlens.worker.finishing import Finishing
from careerlens.worker.held import HeldJob, HeldJobs, Interruption
from careerlens.worker.job import ActiveJob, Processor
from careerlens.worker.outcomes import (
    CANCELLED,
    GHOST,
    Completed,
    DescribeFailure,
    Dropped,
    HandedBack,
    Outcome,
    completed,
    deferred,
    failed,
)
from careerlens.worker.places import Places
from careerlens.worker.scheduling import Scheduling
from careerlens.worker.stats import WorkerStats

_STUBBORN_S = 1.0
_log = get_logger("careerlens.worker")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What every slot of a worker works with."""

    processor: Processor
    describe_failure: DescribeFailure
    link: Link
    calls: QueueCalls
    lock_duration_s: float
    held: HeldJobs
    stats: WorkerStats
    places: Places
    fetching: Fetching
    finishing: Finishing
    cancelling: Cancelling
    scheduling: Scheduling


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """An end that is yet to be written down; `reply` is what came of sending it once."""

    outcome: Outcome
    reply: Any = None


class Slot:
    """Works on one job at a time. `run` it once."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._loop = asyncio.get_running_loop()
        self._job: HeldJob | None = None
        self._task: asyncio.Task[None] | None = None
        self._result: Completed | None = None
        """The result that has been sent, and whose reply is due."""
        self._sent_at = 0.0
        self._told: asyncio.Future[_Unfinished | None] = self._loop.create_future()
        """What breaks the chain of jobs: an unusual end, or None when there is no next job."""
        self._options = b""
        self._options_for: tuple[str, bytes] = ("", b"")

    async def run(self) -> None:
        """Take and run jobs until the worker closes."""
        tools = self._tools
        nothing = False
        try:
            while not tools.fetching.is_closing:
                await tools.places.admit()
                try:
                    if await tools.fetching.next(self._begin, after_finding_nothing=nothing):
                        await self._work()
                finally:
                    tools.places.dismiss()
                nothing = True
        except asyncio.CancelledError:
            await self._let_go()
            raise
        finally:
            self._release()

    async def _work(self) -> None:
        """See the job that has begun to its end, and all that follow from it."""
        while (unfinished := await self._told) is not None and self._job is not None:
            taken = await self._tools.finishing.finish(
                self._job, unfinished.outcome, unfinished.reply
            )
            self._release()
            if taken is None:
                return
            self._begin(taken)

    def _begin(self, taken: Taken) -> None:
        if self._told.done():
            self._told = self._loop.create_future()
        tools = self._tools
        lease_until = taken.asked_at + tools.lock_duration_s
        job = HeldJob(taken.record, taken.token, taken.asked_at, lease_until)
        self._job = job
        tools.held.add(job)
        tools.stats.running += 1
        tools.places.enter(self._start)

    def _start(self, may_run: bool) -> None:
        job = self._job
        assert job is not None, "a place for a job that was let go"
        if may_run:
            self._task = self._loop.create_task(self._run(job), name=f"job {job.record.id}")
        else:
            self._tell(_Unfinished(HandedBack()))

    def _refusal(self, job: HeldJob) -> Outcome | None:
        """Why a job that was taken is not run at all."""
        if job.record.name is None:
            return GHOST
        if job.record.deferred_failure:
            return deferred(job.record.deferred_failure)
        if job.interruption is not None:
            return _INTERRUPTED[job.interruption]
        if job.lease_until <= time.monotonic():
            # We were too busy to hear of it in time: somebody else may run it by now.
            return HandedBack()
        if self._tools.cancelling.is_cancelled(job):
            return CANCELLED
        return HandedBack() if self._tools.fetching.is_closing else None

    async def _run(self, job: HeldJob) -> None:
        """The handler's task: run it and send its end off."""
        started_at = time.monotonic()
        try:
            try:
                outcome = await self._outcome(job)
            finally:
                self._tools.places.leave(time.monotonic() - started_at)
            if not self._told.done():
                self._send(job, outcome)
        except BaseException as error:  # noqa: BLE001 (a fault of ours must end the worker aloud)
            self._fail(error)

    async def _outcome(self, job: HeldJob) -> Outcome:
        tools = self._tools
        if (scheduler_id := job.record.scheduler_id) is not None:
            await tools.scheduling.make_next(job, scheduler_id)
        refusal = self._refusal(job)
        if refusal is not None:
            return refusal
        # Told only now: a task that is cancelled before its first step would never begin.
        job.task = self._task
        try:
            value = await tools.processor(ActiveJob(job, tools.link, tools.calls))
        except asyncio.CancelledError:
            if job.interruption is None:
                error = RuntimeError("the handler cancelled itself")
                return failed(error, tools.describe_failure)
        except Exception as error:  # noqa: BLE001 (whatever a handler raises fails its attempt)
            if job.interruption is None:
                return failed(error, tools.describe_failure)
        except BaseException as error:  # noqa: BLE001 (such as SystemExit)
            # Left alone, it would end the whole worker with every other job in it.
            if job.interruption is None:
                raised = RuntimeError(f"the handler raised {type(error).__name__}")
                raised.__cause__ = error
                return failed(raised, tools.describe_failure)
        else:
            if job.interruption in (None, Interruption.SHUTDOWN):
                return completed(value)
        return _INTERRUPTED[job.interruption]

    def _send(self, job: HeldJob, outcome: Outcome) -> None:
        tools = self._tools
        may_go_on = tools.places.may_go_on and not job.record.has_cancel_mark
        if isinstance(outcome, Completed) and may_go_on:
            self._result = outcome
            self._sent_at = time.monotonic()
            payload = tools.finishing.completion(job, outcome, self._completion_options(job))
            if tools.link.post(payload, self._answered, key=tools.calls.keys.base):
                return
            self._result = None
        self._tell(_Unfinished(outcome))

    def _completion_options(self, job: HeldJob) -> bytes:
        wanted = (job.token, job.record.opts_text)
        if self._options_for != wanted:
            self._options = self._tools.finishing.completion_options(job)
            self._options_for = wanted
        return self._options

    def _answered(self, reply: Any) -> None:
        """Called by the connection."""
        try:
            self._go_on(reply)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not break the connection)
            self._fail(error)

    def _go_on(self, reply: Any) -> None:
        tools, job, result = self._tools, self._job, self._result
        if job is None:
            return  # the slot did not wait for its last reply any longer
        assert result is not None, "a reply to something that was not sent"
        self._result = None
        if isinstance(reply, Exception) or (isinstance(reply, int) and reply < 0):
            self._tell(_Unfinished(result, reply))
            return
        tools.places.answered(time.monotonic() - self._sent_at)
        tools.finishing.count(job, result)
        taken = tools.fetching.accept(reply, job.token, self._sent_at)
        self._release()
        if taken is None:
            self._tell(None)
        else:
            self._begin(taken)

    def _release(self) -> None:
        if self._job is not None:
            self._tools.held.discard(self._job)
            self._tools.stats.running -= 1
            self._job = self._task = None

    def _tell(self, news: _Unfinished | None) -> None:
        if not self._told.done():
            self._told.set_result(news)

    def _fail(self, error: BaseException) -> None:
        if not self._told.done():
            self._told.set_exception(error)

    async def _let_go(self) -> None:
        """The slot itself is cancelled: end the handler and give the job to somebody else."""
        # Only the end of the whole worker leads here, and no slot may begin anything now.
        self._tools.fetching.close()
        self._tools.places.close()
        if self._result is not None:
            await self._hear_the_last_reply()
        job = self._job
        if job is None:
            return
        if self._task is not None:
            self._task.cancel()
            _, running = await asyncio.wait([self._task], timeout=_STUBBORN_S)
            if running:
                _log.error("a handler ignores its cancellation", job_id=job.record.id)
                return
        if job.interruption is not Interruption.LOST and time.monotonic() < job.lease_until:
            with suppress(TimeoutError):  # then its lock runs out, and it is rescued
                await asyncio.wait_for(self._tools.finishing.hand_back(job), _STUBBORN_S)

    async def _hear_the_last_reply(self) -> None:
        """The end of a job is on its way: it may bring another, which has to be handed back."""
        self._told = self._loop.create_future()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._told), _STUBBORN_S)


_INTERRUPTED: dict[Interruption | None, Outcome] = {
    Interruption.CANCELLED: CANCELLED,
    Interruption.SHUTDOWN: HandedBack(),
    Interruption.LOST: Dropped(),
}
