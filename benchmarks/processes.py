"""What a process costs, together with those that it has started, as Linux tells it."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM = 1, 11, 12  # fields of `stat` behind the name of the program


def can_be_told() -> bool:
    """Whether this system tells it."""
    return (PROC / "self/stat").exists()


def cpu_s(pid: int) -> float:
    """The CPU time of a process and its children so far, in steps of 0.01 s."""
    return sum(
        (int(stat[_USER]) + int(stat[_SYSTEM])) / _TICKS_PER_S for stat in _family(pid).values()
    )


def memory_mb(pid: int) -> float:
    """The resident memory of a process and its children; what they share counts for each."""
    return sum(_resident_kb(member) for member in _family(pid)) / 1024


def _resident_kb(pid: int) -> int:
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def _family(pid: int) -> dict[int, list[str]]:
    """The `stat` of a process and of all that came from it."""
    stats = {int(entry.name): _stat(entry) for entry in PROC.iterdir() if entry.name.isdigit()}
    family = {pid: stats[pid]}
    for _ in range(len(stats)):
        more = {
            child: stat
            for child, stat in stats.items()
            if stat and child not in family and int(stat[_PARENT]) in family
        }
        if not more:
            break
        family |= more
    return family


def _stat(entry: Path) -> list[str]:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has just ended
