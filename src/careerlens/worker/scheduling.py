"""Keeps job schedulers going: whoever takes an iteration adds the next one.

This is done before the handler runs, as BullMQ's own workers do (Node 6.x
`Worker.nextJobFromJobData`), so a schedule goes on whatever comes of this iteration. The script
lets only the scheduler's latest iteration do it, so that a repeat, another attempt or a rescue of
the job adds nothing.
"""

from __future__ import annotations

from careerlens.foundation.logging import get_logger
from careerlens.queue.schedulers import next_iteration
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Link
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
            call = next_iteration(self._calls, job.record, scheduler_id)
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
