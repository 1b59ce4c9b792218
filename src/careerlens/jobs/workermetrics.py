"""What worker processes tell Prometheus of what they have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeAlias

from careerlens.foundation.metrics import Metric, counter, gauge

if TYPE_CHECKING:  # the parent of a group tells of workers that it does not load
    from careerlens.worker import Worker

STATS_PATH = "/stats"
"""Where a child of a group tells its parent its numbers, and nobody else."""

Stats: TypeAlias = Mapping[str, Mapping[str, int]]
"""By queue: the fields of `WorkerStats`."""

_ENDS = ("completed", "failed", "cancelled", "retried", "handed_back", "lost", "ghosts")


def stats_of(workers: Sequence[Worker]) -> Stats:
    """The numbers of the workers of this process."""
    return {worker.queue_name: asdict(worker.stats) for worker in workers}


def worker_metrics(by_process: Mapping[str, Stats]) -> list[Metric]:
    """The numbers of processes, by their names."""
    each = [
        (process, queue, numbers)
        for process, stats in by_process.items()
        for queue, numbers in stats.items()
    ]
    return [
        gauge(
            "careerlens_worker_running",
            "Jobs that run now",
            {(process, queue): numbers["running"] for process, queue, numbers in each},
            "process",
            "queue",
        ),
        counter(
            "careerlens_worker_taken",
            "Attempts that were begun",
            {(process, queue): numbers["taken"] for process, queue, numbers in each},
            "process",
            "queue",
        ),
        counter(
            "careerlens_worker_ended",
            "Attempts by how they ended",
            {
                (process, queue, end): numbers[end]
                for process, queue, numbers in each
                for end in _ENDS
            },
            "process",
            "queue",
            "end",
        ),
        counter(
            "careerlens_worker_rescued",
            "Jobs of vanished workers that were put back in line",
            {(process, queue): numbers["rescued"] for process, queue, numbers in each},
            "process",
            "queue",
        ),
    ]
