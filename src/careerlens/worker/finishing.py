"""Writes down how a run ended, once.

    completed ──▶ moveToFinished      failed, attempts left ──▶ moveToDelayed or retryJob
    handed back ─▶ moveJobFromActiveToWait     failed for good ──▶ moveToFinished
    dropped ────▶ nothing

All of these are fenced by the job's token, so a call whose reply was lost is repeated while the
lock lives. A repeat that is refused means that the first one was carried out: then the job's
state is read again, rather than believing in a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import OutcomeUnknownError, ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.queue.record import JobRecord
from careerlens.wire.calls import QueueCalls, WorkOptions, finish_options, retention
from careerlens.wire.cancel import CANCEL_MARK, ERROR_CODE
from careerlens.wire.errors import CommandRejectedError, Refusal
from careerlens.wire.link import Call, Link
from careerlens.wire.packing import strict_json
from careerlens.worker.backoff import retry_delay_ms
from careerlens.worker.fetching import Fetching, Taken
from careerlens.worker.held import HeldJob
from careerlens.worker.insisting import Answer, insist
from careerlens.worker.options import WorkerOptions
from careerlens.worker.outcomes import (
    CANCELLED,
    GHOST,
    Completed,
    Dropped,
    Failed,
    Outcome,
)
from careerlens.worker.places import Places
from careerlens.worker.stats import WorkerStats

_TRACES_KEPT = 10
_log = get_logger("careerlens.worker")


class Finishing:
    """Ends held jobs, and brings back the next one where the script took it along."""

    def __init__(
        self,
        link: Link,
        calls: QueueCalls,
        options: WorkerOptions,
        fetching: Fetching,
        places: Places,
        stats: WorkerStats,
    ) -> None:
        self._link = link
        self._calls = calls
        self._options = options
        self._fetching = fetching
        self._places = places
        self._stats = stats

    def completion(self, job: HeldJob, outcome: Completed, options: bytes) -> bytes:
        """The usual end as one encoded command. `options` is `completion_options` of the job."""
        return self._calls.completion(
            job.record.id.encode(), epoch_ms(), outcome.value.encode(), options
        )

    def completion_options(self, job: HeldJob) -> bytes:
        """What `job` is completed with; the same for jobs of one token with equal options."""
        return self._options_of(job, "completed").encoded()

    def count(self, job: HeldJob, outcome: Completed | Failed) -> None:
        """Count an end that has been written down."""
        stats, record = self._stats, job.record
        if isinstance(outcome, Completed):
            stats.completed += 1
        elif outcome is CANCELLED:
            stats.cancelled += 1
        elif not outcome.is_final and record.attempts_made + 1 < record.max_attempts:
            stats.retried += 1
        else:
            stats.failed += 1
            stats.ghosts += outcome is GHOST

    async def finish(self, job: HeldJob, outcome: Outcome, reply: Any = None) -> Taken | None:
        """Write down the outcome of `job`; the next job if one was taken in the same step.

        `reply` is what came of sending `completion`, where that was not the end of it.
        """
        if isinstance(outcome, Completed | Failed):
            return await self._end(job, outcome, reply)
        self._fetching.look_again()
        if isinstance(outcome, Dropped):
            self._lost(job, "its lock went to another worker")
        else:
            await self.hand_back(job)
        return None

    async def _end(
        self, job: HeldJob, outcome: Completed | Failed, reply: Any = None
    ) -> Taken | None:
        asked_at = time.monotonic()
        answer: Answer | None
        if isinstance(reply, int):
            answer = Answer(reply, is_repeat=False)
        else:
            is_repeat = isinstance(reply, OutcomeUnknownError)
            try:
                answer = await insist(
                    self._link, job, self._call(job, outcome), is_repeat=is_repeat
                )
            except CommandRejectedError as error:
                self._lost(job, str(error))
                return None
        if answer is None:
            self._lost(job, "the server could not be reached while its lock lived")
            return None
        if isinstance(answer.reply, int) and answer.reply < 0:
            if answer.is_repeat:
                return await self._settle(job, outcome)
            return await self._refused(job, outcome, Refusal(answer.reply))
        if not isinstance(answer.reply, list):
            self._fetching.look_again()  # no job was looked for, or there was none
        self.count(job, outcome)
        return self._fetching.accept(answer.reply, job.token, asked_at)

    async def hand_back(self, job: HeldJob) -> None:
        """Give the job back to the front of the line."""
        call = self._calls.hand_back(job.record.id, job.token)
        try:
            answer = await insist(self._link, job, lambda _: call)
            if answer is None or (int(answer.reply) < 0 and not answer.is_repeat):
                self._lost(job, "it could not be handed back")
                return
            # The script wakes nobody for a prioritised job.
            if job.record.priority > 0:
                await self._link.call("ZADD", self._calls.keys.marker, 0, "0")
        except (ServiceUnavailableError, CommandRejectedError) as error:
            _log.warning("handing a job back failed", job_id=job.record.id, problem=str(error))
            return
        self._stats.handed_back += 1

    def _call(self, job: HeldJob, outcome: Completed | Failed) -> Callable[[bool], Call]:
        """How to write the outcome down; a repeat takes no further job under the same token."""
        now_ms = epoch_ms()
        record = job.record
        if isinstance(outcome, Completed):
            fields = _without_mark(record)
            return lambda is_repeat: self._finish(
                job, now_ms, "completed", outcome.value, fields, is_repeat=is_repeat
            )
        fields = _failure_fields(record, outcome)
        made = record.attempts_made + 1
        delay_ms = None if outcome.is_final else retry_delay_ms(record, made)
        if delay_ms is None:
            return lambda is_repeat: self._finish(
                job, now_ms, "failed", outcome.reason, fields, is_repeat=is_repeat
            )
        if delay_ms == 0:
            lifo = bool(record.opts.get("lifo"))
            retry = self._calls.retry(record.id, now_ms, job.token, fields, lifo=lifo)
            return lambda _: retry
        return lambda is_repeat: self._calls.delay(
            record.id, now_ms, job.token, delay_ms, fields, self._next_options(job, is_repeat)
        )

    def _next_options(self, job: HeldJob, is_repeat: bool) -> WorkOptions | None:
        may_take = not is_repeat and self._places.may_go_on
        return self._fetching.options_for(job.token) if may_take else None

    def _finish(
        self,
        job: HeldJob,
        now_ms: int,
        target: Literal["completed", "failed"],
        value: str,
        fields: dict[str, str | int],
        *,
        is_repeat: bool,
    ) -> Call:
        options = self._options_of(job, target)
        fetch_next = not is_repeat and self._places.may_go_on
        return self._calls.finish(
            job.record.id, now_ms, target, value, options, fields, fetch_next=fetch_next
        )

    def _options_of(self, job: HeldJob, target: Literal["completed", "failed"]) -> WorkOptions:
        record = job.record
        remove = record.opts.get("removeOnComplete" if target == "completed" else "removeOnFail")
        return finish_options(
            job.token,
            self._options.lock_duration_ms,
            self._options.limit,
            self._options.name,
            keep=retention(remove),
            attempts=record.max_attempts,
            stored=record.opts,
        )

    async def _settle(self, job: HeldJob, outcome: Completed | Failed) -> Taken | None:
        """A repeat was refused: see what the first call, whose reply was lost, has done."""
        try:
            still_held = await self._link.call("GET", self._calls.keys.lock(job.record.id))
        except (ServiceUnavailableError, CommandRejectedError):
            still_held = None
        if still_held is not None:
            self._lost(job, "another worker holds its lock")
        else:
            self.count(job, outcome)
        self._fetching.look_again()
        return await self._fetching.look_for(job.token, besides=job.record.id)

    async def _refused(
        self, job: HeldJob, outcome: Completed | Failed, refusal: Refusal
    ) -> Taken | None:
        """The script's no to a first call."""
        if refusal is Refusal.PENDING_CHILDREN or refusal is Refusal.FAILED_CHILDREN:
            failure = Failed(
                reason="The job ended before the jobs it depends on.",
                code="children_unfinished",
                is_final=refusal is Refusal.FAILED_CHILDREN,
            )
            return await self._end(job, failure)
        self._lost(job, refusal.name.lower().replace("_", " "))
        return None

    def _lost(self, job: HeldJob, why: str) -> None:
        self._fetching.look_again()
        self._stats.lost += 1
        _log.warning("a result was dropped", job_id=job.record.id, why=why)


def _without_mark(record: JobRecord) -> dict[str, str | int]:
    """Clears a cancellation mark, which would otherwise end a later run of the same job."""
    return {CANCEL_MARK: 0} if record.has_cancel_mark else {}


def _failure_fields(record: JobRecord, outcome: Failed) -> dict[str, str | int]:
    fields: dict[str, str | int] = {"failedReason": outcome.reason, ERROR_CODE: outcome.code or ""}
    if outcome is CANCELLED:
        fields[CANCEL_MARK] = 0
    if outcome.trace:
        limit = record.opts.get("stackTraceLimit")
        kept = limit if isinstance(limit, int) and limit >= 0 else _TRACES_KEPT
        traces = [*record.stacktrace, outcome.trace][-kept:] if kept else []
        fields["stacktrace"] = strict_json(traces)
    return fields
