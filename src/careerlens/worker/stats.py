"""What a worker has done since it started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class WorkerStats:
    """Counters, for health pages and tests.

    `lost`: jobs whose lock went to another worker, so that their result was dropped. `ghosts`:
    jobs whose data was gone. `resolved`: takes whose reply was lost and whose job was found.
    `rescued`: jobs of dead workers put back in line by this one.
    """

    running: int = 0
    taken: int = 0
    completed: int = 0
    failed: int = 0
    retried: int = 0
    cancelled: int = 0
    handed_back: int = 0
    lost: int = 0
    ghosts: int = 0
    resolved: int = 0
    rescued: int = 0
