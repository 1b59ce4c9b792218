"""Where the time of a draining worker goes: a table of our own files, by a sampling profiler.

    make bench-profile                  # about half a minute
    make bench-profile ARGS="--jobs 200000 --concurrency 10"

py-spy looks at the worker from outside, five hundred times a second, C code included. A sample
counts for the file of ours that is innermost on the stack: what the standard library or hiredis
does for it is its cost. System calls on the socket have a row of their own, and moments in which
the worker waits for the server have none. What a job costs in all is measured without a profiler.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import redis
from report import here_and_now, load_average, put_into_page, table
from server import own_server
from starting import cores_apart
from systems import BENCHMARKS, OURS, PEERS_PYTHON

SOURCES = BENCHMARKS.parent / "src" / "careerlens"
SAMPLES_PER_S = 500
SHOWN = 0.01
WAITING = re.compile(r"epoll_p?wait|kevent|[Ss]elector\.select|Condition\.wait")
STARTING = re.compile(r"importlib|<module>.*<frozen")
SYSTEM_CALL = re.compile(r"^(__)?(libc_)?(write|writev|send|sendmsg|read|recv|recvmsg)\b")
OURS_AT = re.compile(r"^(?P<function>.+) \((?:.*/)?careerlens/(?P<file>[\w/]+\.py):\d+\)$")
HANDLER_AT = re.compile(r"\((?:.*/)?(harness|careerlens_peer)\.py:\d+\)$")

SOCKET, HANDLER, LOOP = "system calls on the socket", "the handler", "the event loop"


def drain(url: str, jobs: int, concurrency: int, profile: Path | None = None) -> dict[str, Any]:
    """Add jobs, drain them, and say what that took."""
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}

    def run(*command: str) -> dict[str, Any]:
        told = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        lines = [line for line in told.stdout.splitlines() if line.startswith("{")]
        if not lines:
            sys.exit(f"{command[0]} told nothing; may it look at other processes (ptrace)?")
        answer: dict[str, Any] = json.loads(lines[-1])
        return answer

    run(*OURS, url, "enqueue_bulk", str(jobs))
    watch: tuple[str, ...] = ()
    if profile is not None:
        spy = str(Path(PEERS_PYTHON).with_name("py-spy"))
        how = f"record --native --format raw --rate {SAMPLES_PER_S} --output".split()
        watch = (spy, *how, str(profile), "--")
    return run(*watch, *OURS, url, "work", str(concurrency), str(jobs))


def stacks(profile: Path) -> Iterator[tuple[list[str], int]]:
    """The stacks while jobs were run, outermost frame first, and how often each was seen."""
    for line in profile.read_text().splitlines():
        frames, _, seen = line.rpartition(" ")
        if not WAITING.search(frames) and not STARTING.search(frames):
            yield frames.split(";"), int(seen)


def place_of(frames: Sequence[str]) -> tuple[str, str]:
    """The row that a stack counts for, and the function that is innermost there."""
    if SYSTEM_CALL.match(frames[-1]):
        return SOCKET, frames[-1].partition(" ")[0]
    for frame in reversed(frames):
        if HANDLER_AT.search(frame):
            return HANDLER, ""
        if match := OURS_AT.match(frame):
            return match["file"], match["function"]
    return LOOP, ""


def what_is(file: str) -> str:
    """The first sentence of a file of ours about itself."""
    path = SOURCES / file
    if not path.exists():
        return {
            SOCKET: "the kernel's share: replies are read, commands written",
            HANDLER: "the benchmark's: it counts",
            LOOP: "uvloop and asyncio: callbacks, tasks, time",
        }[file]
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return words.partition("\n\n")[0].replace("\n", " ").rstrip(".")


def rows(profile: Path, worker_us: float) -> list[list[str]]:
    """The table: file, share and microseconds per job, its busiest functions, what it is."""
    seen: Counter[str] = Counter()
    functions: dict[str, Counter[str]] = defaultdict(Counter)
    for frames, times in stacks(profile):
        place, function = place_of(frames)
        seen[place] += times
        functions[place][function] += times
    total = seen.total()
    found = []
    for place, times in seen.most_common():
        if times / total < SHOWN:
            break
        busiest = ", ".join(f"`{name}`" for name, _ in functions[place].most_common(3) if name)
        name = f"`{place}`" if place.endswith(".py") else place
        figures = [f"{times / total:.0%}", f"{times / total * worker_us:.1f}"]
        found.append([name, *figures, busiest, what_is(place)])
        print(f"  {place:28} {figures[0]:>5} {figures[1]:>6} µs  {busiest}", flush=True)
    return found


def main() -> None:
    """Drain twice, watch the second time, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    quick = bool(os.environ.get("QUICK"))
    parser.add_argument("--jobs", type=int, default=20_000 if quick else 100_000)
    parser.add_argument("--concurrency", type=int, default=50)
    arguments = parser.parse_args()
    load = load_average()
    jobs, concurrency = arguments.jobs, arguments.concurrency
    with own_server() as url, tempfile.TemporaryDirectory() as folder:
        admin: Any = redis.Redis.from_url(url, decode_responses=True)
        with cores_apart(int(admin.info("server")["process_id"])):
            unwatched = drain(url, jobs, concurrency)
            scripts = admin.info("commandstats")
        admin.flushall()
        profile = Path(folder) / "stacks"
        drain(url, jobs, concurrency, profile)
        worker_us = unwatched["cpu_s"] * 1e6 / jobs
        found = rows(profile, worker_us)
    script_us = scripts["cmdstat_evalsha"]["usec"] / jobs
    words = (
        f"{jobs:,} jobs at concurrency {concurrency}: {jobs / unwatched['seconds']:,.0f} a second; "
        f"the worker used {worker_us:.1f} µs of CPU for each, and the server spent "
        f"{script_us:.1f} µs in the scripts that add, take and finish it."
    )
    print(words)
    if not quick:
        head = ["where", "share", "µs per job", "busiest", "what it is"]
        text = f"{words} Measured on {here_and_now(load)}."
        put_into_page("profile", f"{text}\n\n{table(head, found, words=2)}")


if __name__ == "__main__":
    main()
