"""Hears which running jobs are to be cancelled.

A message may come between a job's take and the moment we know of it, so ids are remembered for
a while. One that came before the take was about an earlier run. A message that is lost altogether
is made up for at the next lock renewal.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from careerlens.wire.cancel import cancel_channel
from careerlens.wire.channel import Channel
from careerlens.wire.locating import address_of
from careerlens.worker.held import HeldJob, HeldJobs, Interruption

_REMEMBERED_IDS = 1_024


class Cancelling:
    """Interrupts held jobs whose id is published on the queue's cancel channel."""

    def __init__(self, url: str, queue: str, held: HeldJobs) -> None:
        self.channel = Channel(address_of(url), cancel_channel(queue), self._heard)
        self._held = held
        self._recent: OrderedDict[str, float] = OrderedDict()

    def is_cancelled(self, job: HeldJob) -> bool:
        """Whether a job that was just taken is to be cancelled before it begins."""
        heard_at = self._recent.pop(job.record.id, None)
        if heard_at is not None and heard_at >= job.asked_at:
            return True
        return job.record.cancel_requested_at_ms is not None

    def _heard(self, job_id: str) -> None:
        job = self._held.get(job_id)
        if job is not None:
            job.interrupt(Interruption.CANCELLED)
            return
        self._recent[job_id] = time.monotonic()
        if len(self._recent) > _REMEMBERED_IDS:
            self._recent.popitem(last=False)
