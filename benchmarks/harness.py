"""What the Python systems of the queue benchmark share: timing, counting, and the command line.

A system is a file in `queue/peers/` with a `Peer`. The benchmark starts it as a process of its
own, under its own virtual environment, in one of these roles:

    PEER URL enqueue | enqueue_bulk | enqueue_prioritized N    add N jobs, print how long it took
    PEER URL add_alone N    add N jobs, each after the other; print what each of them took
    PEER URL work | work_prioritized CONCURRENCY N    run jobs; print one line after the Nth, end
    PEER URL feed       add one job for every line that comes in
    PEER URL answer     run jobs; print when each has started, and how long it has waited

Jobs carry one number: in the last two roles the moment of adding on the machine's monotonic clock,
which all processes share.
Only the standard library is needed here, since every environment imports it.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

IN_FLIGHT = 200
BATCH = 1_000

T = TypeVar("T")


class Unsupported(Exception):  # noqa: N818 (it is an answer)
    """The system has no such thing."""


class Tally:
    """Counts the jobs of a worker, from any thread. The span is from the first to the last."""

    def __init__(self) -> None:
        self.expected: int | None = None
        self._lock = threading.Lock()
        self._count = 0
        self._started = 0.0
        self._cpu_s = 0.0

    def job(self, number: int) -> None:
        """The handler of every system's job, and all that it does."""
        if self.expected is None:
            now = time.monotonic_ns()
            tell({"waited_ms": (now - number) / 1e6, "at_ms": now / 1e6})
            return
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._started, self._cpu_s = time.perf_counter(), _cpu_s()
            elif self._count == self.expected:
                self._end(self.expected)

    def _end(self, jobs: int) -> None:
        seconds = time.perf_counter() - self._started
        cpu_s = _cpu_s() - self._cpu_s
        tell({"jobs": jobs, "seconds": seconds, "cpu_s": cpu_s, "rss_mb": _peak_memory_mb()})
        os._exit(0)  # whatever the system would do at its end is none of the measurement


tally = Tally()


def handle(number: int) -> None:
    """The job of systems that name a plain function by its module."""
    tally.job(number)


async def handle_async(number: int) -> None:
    """The job of systems that run coroutines."""
    tally.job(number)


class Peer(ABC):
    """One system. What it cannot do raises `Unsupported`, with the reason."""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def enqueue(self, jobs: int) -> float:
        """Add jobs one by one, as many at once as the system's client can; the seconds taken."""

    def enqueue_bulk(self, jobs: int) -> float:
        """Add jobs by the call that takes many; the seconds taken."""
        raise Unsupported("no call that adds many jobs")

    def enqueue_prioritized(self, jobs: int) -> float:
        """Add jobs that have a priority; the seconds taken."""
        raise Unsupported("no priorities")

    @abstractmethod
    def add_alone(self, jobs: int) -> list[float]:
        """Add jobs, each once the one before it is added; the seconds that each has taken."""

    @abstractmethod
    def feed(self) -> None:
        """Add a job now, each time a line comes in."""

    @abstractmethod
    def work(self, concurrency: int) -> None:
        """Run jobs in this process for ever, handing each one's number to the tally."""

    def work_prioritized(self, concurrency: int) -> None:
        """As `work`, for the jobs of `enqueue_prioritized`."""
        self.work(concurrency)


class BlockingPeer(Peer):
    """A system whose client blocks: its jobs are added one after the other."""

    @abstractmethod
    def add(self, number: int) -> None:
        """Add one job."""

    def enqueue(self, jobs: int) -> float:
        started = time.perf_counter()
        for number in range(jobs):
            self.add(number)
        return time.perf_counter() - started

    def add_alone(self, jobs: int) -> list[float]:
        return [timed(partial(self.add, number)) for number in range(jobs)]

    def feed(self) -> None:
        for _ in sys.stdin:
            self.add(time.monotonic_ns())


class AsyncPeer(Peer):
    """A system whose client is awaited: its jobs are added by many callers at once."""

    async def open(self) -> None:
        """Connect as a producer."""

    @abstractmethod
    async def add(self, number: int) -> None:
        """Add one job."""

    async def add_many(self, numbers: Iterable[int]) -> None:
        """Add jobs in one call."""
        raise Unsupported("no call that adds many jobs")

    async def add_prioritized(self, numbers: Iterable[int]) -> None:
        """Add jobs with priority 1."""
        raise Unsupported("no priorities")

    @abstractmethod
    async def serve(self, concurrency: int) -> None:
        """Run jobs for ever."""

    def enqueue(self, jobs: int) -> float:
        return run(self._timed(lambda: self._add_at_once(jobs)))

    def enqueue_bulk(self, jobs: int) -> float:
        return run(self._timed(lambda: self._in_batches(self.add_many, jobs)))

    def enqueue_prioritized(self, jobs: int) -> float:
        return run(self._timed(lambda: self._in_batches(self.add_prioritized, jobs)))

    def add_alone(self, jobs: int) -> list[float]:
        return run(self._add_alone(jobs))

    def feed(self) -> None:
        run(self._feed())

    def work(self, concurrency: int) -> None:
        run(self.serve(concurrency))

    async def _timed(self, action: Callable[[], Awaitable[object]]) -> float:
        await self.open()
        started = time.perf_counter()
        await action()
        return time.perf_counter() - started

    async def _add_at_once(self, jobs: int) -> None:
        numbers = iter(range(jobs))

        async def caller() -> None:
            for number in numbers:
                await self.add(number)

        await asyncio.gather(*(caller() for _ in range(min(IN_FLIGHT, jobs))))

    async def _add_alone(self, jobs: int) -> list[float]:
        await self.open()
        took_s: list[float] = []
        for number in range(jobs):
            started = time.perf_counter()
            await self.add(number)
            took_s.append(time.perf_counter() - started)
        return took_s

    async def _in_batches(self, add: Callable[[Iterable[int]], Awaitable[None]], jobs: int) -> None:
        for batch in batches(jobs):
            await add(batch)

    async def _feed(self) -> None:
        await self.open()
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while await reader.readline():
            await self.add(time.monotonic_ns())


def batches(jobs: int) -> Iterator[range]:
    """The numbers below `jobs`, a thousand at a time."""
    return (range(start, min(start + BATCH, jobs)) for start in range(0, jobs, BATCH))


def timed(action: Callable[[], object]) -> float:
    """The seconds that the action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def run(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine on uvloop, which every asyncio system is given."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def tell(answer: dict[str, object]) -> None:
    """Answer the benchmark, in one line."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(make: Callable[[str], Peer]) -> None:
    """Play the role that the command line names."""
    url, role, *numbers = sys.argv[1:]
    peer = make(url)
    if role in ("work", "work_prioritized"):
        concurrency, tally.expected = map(int, numbers)
        getattr(peer, role)(concurrency)
    elif role == "answer":
        peer.work(10)
    elif role == "feed":
        peer.feed()
    elif role == "add_alone":
        tell({"took_us": [round(took_s * 1e6) for took_s in peer.add_alone(int(numbers[0]))]})
    else:
        (jobs,) = map(int, numbers)
        try:
            tell({"jobs": jobs, "seconds": getattr(peer, role)(jobs)})
        except Unsupported as reason:
            tell({"unsupported": str(reason)})


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_memory_mb() -> float:
    """The most memory held so far. The kernel's own figure would count the parent's, too."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024
