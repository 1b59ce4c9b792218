"""Puts jobs of vanished workers back in line.

Every worker asks each few seconds; the server lets one of them through (BullMQ's
`moveStalledJobsToWait`). A job is only moved when it was without a renewal for a whole interval
and its lock has run out.
"""

from __future__ import annotations

import asyncio

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.wire.calls import QueueCalls
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link
from careerlens.worker.options import WorkerOptions
from careerlens.worker.stats import WorkerStats

_log = get_logger("careerlens.worker")


async def rescue_stalled_jobs(
    link: Link, calls: QueueCalls, options: WorkerOptions, stats: WorkerStats
) -> None:
    """Check at once and then each interval, until cancelled."""
    while True:
        call = calls.rescue_stalled(
            epoch_ms(), options.stalled_interval_ms, options.max_stalled_count
        )
        try:
            rescued = [job_id.decode() for job_id in await link.run(*call)]
        except (ServiceUnavailableError, CommandRejectedError) as error:
            _log.warning("the check for stalled jobs failed", problem=str(error))
        else:
            stats.rescued += len(rescued)
            if rescued:
                _log.warning("jobs of a vanished worker are back in line", job_ids=rescued[:20])
        await asyncio.sleep(options.stalled_interval_ms / 1000)
