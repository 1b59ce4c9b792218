"""The keys of one queue, as BullMQ names them: `{prefix}:{queue}:{suffix}`.

Job keys and the queue's own keys share one namespace, so an id that equals a suffix would
overwrite the queue itself: `is_safe_job_id` guards every id that did not come from the server.
"""

from __future__ import annotations

import re
from base64 import b64encode

_OWN_SUFFIXES = frozenset(
    "wait active paused prioritized delayed completed failed waiting-children stalled id pc meta"  # noqa: SIM905
    " marker stalled-check events limiter repeat de dn metrics priority delay lock logs".split()
)
_OWN_PREFIXES = ("repeat:", "de:", "dn:", "metrics:", "0:")
_JOB_SUFFIXES = (":lock", ":logs", ":dependencies", ":processed", ":failed", ":unsuccessful")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_MAX_JOB_ID_LENGTH = 2_048


def can_name_a_queue(name: str) -> bool:
    """Whether a queue with this name has keys of its own: `:` and braces would let two share."""
    return bool(name) and name.isprintable() and not any(mark in name for mark in ":{}")


def can_name_a_job(job_id: str) -> bool:
    """Whether a job with this id can exist, so that asking for it reads a job and nothing else."""
    return (
        0 < len(job_id) <= _MAX_JOB_ID_LENGTH
        and job_id not in _OWN_SUFFIXES
        and not job_id.endswith(_JOB_SUFFIXES)
    )


def is_safe_job_id(job_id: str) -> bool:
    """Whether a producer may choose this id without touching the queue's own keys or counter."""
    return (
        can_name_a_job(job_id)
        and job_id.isprintable()
        and not job_id.startswith(_OWN_PREFIXES)
        and not _INTEGER.fullmatch(job_id)
    )


class QueueKeys:
    """Names the keys of one queue that are asked for by themselves; `calls` names the rest.

    Raises `ValueError` for what cannot name a queue.
    """

    def __init__(self, queue: str, prefix: str = "bull") -> None:
        if not can_name_a_queue(queue):
            raise ValueError(f"not a queue name: {queue!r}")
        self.queue = queue
        self.prefix = prefix
        self.base = f"{prefix}:{queue}:"
        self.wait = f"{self.base}wait"
        self.active = f"{self.base}active"
        self.paused = f"{self.base}paused"
        self.prioritized = f"{self.base}prioritized"
        self.delayed = f"{self.base}delayed"
        self.completed = f"{self.base}completed"
        self.failed = f"{self.base}failed"
        self.waiting_children = f"{self.base}waiting-children"
        self.stalled = f"{self.base}stalled"
        self.sequence = f"{self.base}id"
        self.meta = f"{self.base}meta"
        self.marker = f"{self.base}marker"
        self.events = f"{self.base}events"

    def job(self, job_id: str) -> str:
        """The hash of a job."""
        return self.base + job_id

    def lock(self, job_id: str) -> str:
        """The lock of a job, whose value is the token of the take that holds it."""
        return f"{self.base}{job_id}:lock"

    def logs(self, job_id: str) -> str:
        """The list of a job's log lines."""
        return f"{self.base}{job_id}:logs"

    def processed(self, job_id: str) -> str:
        """The hash of what a job's children returned."""
        return f"{self.base}{job_id}:processed"

    def ignored_failures(self, job_id: str) -> str:
        """The hash of why a job's children failed whose failure it does not share."""
        return f"{self.base}{job_id}:failed"

    def worker_client_name(self, worker: str | None) -> str:
        """What a worker's connection is called, by which BullMQ and dashboards count workers."""
        queue = b64encode(self.queue.encode()).decode()
        return f"{self.prefix}:{queue}" + (f":w:{worker}" if worker else "")

    def __repr__(self) -> str:
        return f"QueueKeys({self.queue!r}, prefix={self.prefix!r})"
