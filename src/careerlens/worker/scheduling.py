"""Keeps job schedulers going: whoever takes an iteration adds the next one.

This is done before the handler runs, as BullMQ's own workers do (Node 6.x
`Worker.nextJobFromJobData`), so a schedule goes on whatever comes of this iteration. The script
lets only the scheduler's latest iteration do it, so that a repeat, another attempt or a rescue of
the job adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.logging import get_logger
from careerlens.queue.record import JobRecord
from careerlens.queue.schedulers import iteration_options, next_due_ms
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call, Link
from careerlens.wire.schedulercalls import SchedulerCalls
from careerlens.worker.held import HeldJob
from careerlens.worker.insisting import insist

_log = get_logger("careerlens.worker")


class Scheduling:
    """Adds the iteration that follows a job which a scheduler made."""

    def __init__(self, link: Link, keys: QueueKeys) -> None:
        self._link = link
        self._calls = SchedulerCalls(keys)

    async def make_next(self, job: HeldJob, scheduler_id: str) -> None:
        """Add the next iteration of the scheduler that made `job`, if there is to be one.

        Insists while the job's lock lives; should it run out, whoever takes the job next does
        this. A schedule that cannot be read is logged and ends; its job is run all the same.
        """
        try:
            call = self._next(job.record, scheduler_id)
            if call is None or await insist(self._link, job, lambda _: call) is not None:
                return
            problem = "the server could not be reached while the job's lock lived"
        except (ValueError, CommandRejectedError) as error:
            problem = str(error)
        _log.error(
            "a scheduler's next job was not made",
            scheduler=scheduler_id,
            job_id=job.record.id,
            problem=problem,
        )

    def _next(self, record: JobRecord, scheduler_id: str) -> Call | None:
        repeat = record.opts.get("repeat")
        if not isinstance(repeat, Mapping):
            raise ValueError("the job does not say when it comes again")
        count = _number(repeat.get("count")) + 1
        limit = repeat.get("limit")
        if isinstance(limit, int | float) and count > limit:
            return None
        now_ms = epoch_ms()
        due_ms = next_due_ms(repeat, max(now_ms, _number(record.opts.get("prevMillis"))))
        if due_ms is None:
            return None
        options = iteration_options(record.opts, repeat, scheduler_id, due_ms, now_ms, count=count)
        return self._calls.make_next(scheduler_id, due_ms, options, now_ms, record.id)


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
