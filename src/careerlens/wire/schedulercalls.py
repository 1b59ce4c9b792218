"""The calls of the protocol on a queue's job schedulers (BullMQ 3.4.4 in Python, 6.x on Node)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call
from careerlens.wire.packing import pack
from careerlens.wire.scripts import bullmq_script

_ADDING = "repeat delayed wait paused meta prioritized marker id events pc"


class SchedulerCalls:
    """Builds the calls on one queue's schedulers; nothing is sent here.

    Options are by the names they are stored under. A scheduler's due time is a score of the
    sorted set `repeat`, its record the hash `repeat_of`.
    """

    def __init__(self, keys: QueueKeys) -> None:
        self._base = keys.base
        self.repeat = f"{keys.base}repeat"
        self._adding = [keys.base + suffix for suffix in _ADDING.split()]
        self._active = keys.active
        self._removing = [self.repeat, keys.delayed, keys.events]

    def repeat_of(self, scheduler_id: str) -> str:
        """The key of a scheduler's record."""
        return f"{self.repeat}:{scheduler_id}"

    def upsert(
        self,
        scheduler_id: str,
        scheduler: Mapping[str, Any],
        due_ms: int,
        data: str,
        template: Mapping[str, Any],
        iteration: Mapping[str, Any],
        now_ms: int,
    ) -> Call:
        """Store a scheduler and its next iteration.

        `scheduler` is its name and schedule, `data` JSON text, `template` the options of its
        jobs and `iteration` those of the next one. The reply is that job's id and its delay, or
        a negative refusal.
        """
        args = (
            due_ms,
            pack(scheduler),
            scheduler_id,
            data,
            pack(template),
            pack(iteration),
            now_ms,
            self._base,
            "",
        )
        return bullmq_script("addJobScheduler"), [*self._adding, self._active], args

    def make_next(
        self,
        scheduler_id: str,
        due_ms: int,
        iteration: Mapping[str, Any],
        now_ms: int,
        producer_id: str,
    ) -> Call:
        """Add the iteration after `producer_id`, which was taken; harmless to repeat.

        The reply is its id, or nothing when the scheduler is gone or has gone on already. Where a
        job with the next one's id exists, as of a former scheduler, the script announces
        `duplicated` and the schedule ends: so it does with BullMQ's own workers.
        """
        keys = [*self._adding, self._base + producer_id, self._active]
        args = (due_ms, scheduler_id, "{}", pack(iteration), now_ms, self._base, producer_id)
        return bullmq_script("updateJobScheduler"), keys, args

    def get(self, scheduler_id: str) -> Call:
        """A scheduler's record and score, or nothing."""
        return bullmq_script("getJobScheduler"), [self.repeat], (scheduler_id,)

    def remove(self, scheduler_id: str) -> Call:
        """Remove a scheduler and its delayed iteration: 0 done, 1 there was none."""
        args = (scheduler_id, self._base)
        return bullmq_script("removeJobScheduler"), self._removing, args
