"""What a process costs, together with those that it has started, as Linux tells it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
_PARENT = 1  # the field of `stat` behind the name of the program, and the state


def can_be_told() -> bool:
    """Whether this system tells it."""
    return (PROC / "self/schedstat").exists()


def cpu_s(pid: int) -> float:
    """The CPU time of a process and its children so far, of threads that still are."""
    return (
        sum(
            _thread_ns(thread)
            for member in _family(pid)
            for thread in (PROC / str(member) / "task").iterdir()
        )
        / 1e9
    )


def _thread_ns(thread: Path) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
        return int((thread / "schedstat").read_text().split()[0])
    return 0


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
