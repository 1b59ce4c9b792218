"""The queue beside others: how fast jobs go in and out, how soon they start, what they cost.

    make bench-queue                    # three rounds, about twenty minutes on two cores
    make bench-queue QUICK=1            # does everything work?
    make bench-queue ARGS="--systems careerlens bullmq-node --metrics drain_c50 idle"
    make bench-queue ARGS="--systems careerlens --merge"    # put these figures among the others

All systems use one Valkey, one after the other, and take turns within each round. Producer and
worker are processes of their own (see `harness.py`). Jobs do nothing; everything else is as each
system has it by default. A drain is timed from the first job to the last, so that starting up
counts for nobody. Server and worker (or producer) have a core each, for every system alike, where
pace is measured. Writes `benchmarks/results/queue.json`, and what was measured beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

sys.path.insert(0, str(Path(__file__).parents[1]))

import processes
from proxy import delayed
from report import Metric, load_average, publish, summarise
from server import own_server, version_of
from starting import PATIENCE_S, Failed, cores_apart, line_of, started
from systems import SYSTEMS, System, share_of, versions

ALONE_S = 20.0
PICKUPS, PICKUPS_OF_LEADING = 100, 500
WARM_UPS = 5
REST_S = (0.01, 0.03)
ADDED_ALONE = 2_000
DELAY_MS = 1.0

PACE, LATENCY, COST = "pace", "latency", "cost"
METRICS = (
    Metric("enqueue", "add", "Jobs added one by one, per second", "higher", PACE),
    Metric("enqueue_bulk", "add in bulk", "Jobs added in bulk, per second", "higher", PACE),
    Metric("drain_c50", "end, 50 at once", "Jobs ended per second, concurrency 50", "higher", PACE),
    Metric("drain_c10", "end, 10 at once", "Jobs ended per second, concurrency 10", "higher", PACE),
    Metric("drain_c1", "end, one by one", "Jobs ended per second, one at a time", "higher", PACE),
    Metric(
        "drain_prioritized_c50",
        "end, prioritised",
        "Prioritised jobs ended per second",
        "higher",
        PACE,
    ),
    Metric(
        "drain_delayed_c50",
        "end, server 1 ms away",
        "Jobs ended per second, server 1 ms away",
        "higher",
        PACE,
    ),
    Metric("pickup_p50_ms", "pick-up p50", "Idle worker's pick-up, median, ms", "lower", LATENCY),
    Metric("pickup_p99_ms", "pick-up p99", "Idle worker's pick-up, p99, ms", "lower", LATENCY),
    Metric(
        "pickup_idle_p50_ms",
        "pick-up after a minute",
        "Pick-up after a minute's rest, ms",
        "lower",
        LATENCY,
    ),
    Metric("add_p50_ms", "lone add p50", "A lone add, median, ms", "lower", LATENCY),
    Metric("add_p99_ms", "lone add p99", "A lone add, p99, ms", "lower", LATENCY),
    Metric(
        "worker_cpu_ms_per_1k",
        "worker CPU, ms/1,000",
        "Worker CPU, ms per 1,000 jobs",
        "lower",
        COST,
    ),
    Metric(
        "server_cpu_ms_per_1k",
        "server CPU, ms/1,000",
        "Server CPU, ms per 1,000 jobs",
        "lower",
        COST,
    ),
    Metric("rss_mb", "worker memory, MB", "Worker memory, peak, MB", "lower", COST),
    Metric("idle_cpu_percent", "idle CPU, %", "Idle worker's CPU, % of a core", "lower", COST),
    Metric("idle_rss_mb", "idle memory, MB", "Idle worker's memory, MB", "lower", COST),
    Metric("first_job_s", "first job, s", "From process start to first job, s", "lower", COST),
)
STAGES: dict[str, tuple[str, ...]] = {
    "drain_c50": ("enqueue", "drain_c50", "worker_cpu_ms_per_1k", "server_cpu_ms_per_1k", "rss_mb"),
    "drain_c10": ("enqueue_bulk", "drain_c10"),
    "drain_c1": ("drain_c1",),
    "drain_prioritized_c50": ("drain_prioritized_c50",),
    "drain_delayed_c50": ("drain_delayed_c50",),
    "add_alone": ("add_p50_ms", "add_p99_ms"),
    "pickup": ("pickup_p50_ms", "pickup_p99_ms"),
    "first_job": ("first_job_s",),
    "idle": ("idle_cpu_percent", "idle_rss_mb", "pickup_idle_p50_ms"),
}
"""What is done, and what is found by it."""
TOGETHER = "idle"
"""The stage in which all systems are there at once."""
EACH_HAS_A_CORE = ("drain_c50", "drain_c10", "drain_c1", "drain_prioritized_c50", "add_alone")


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
            print(f"  {system.name:18} {metric:22} {value:12,.2f}", flush=True)

    def leave_out(self, system: System, metric: str, why: str) -> None:
        if metric not in self.left_out[system.name]:
            print(f"  {system.name:18} {metric:22} left out: {why}", flush=True)
        self.left_out[system.name][metric] = why


class Bench:
    """One Valkey, and the processes of the systems that use it."""

    def __init__(
        self, url: str, jobs: int, pickup_s: float, idle_s: float, results: Measurements
    ) -> None:
        self._url = url
        self._jobs = jobs
        self._pickup_s = pickup_s
        self._idle_s = idle_s
        self._results = results
        self._failed: set[tuple[str, str]] = set()
        self._admin: Any = redis.Redis.from_url(url, decode_responses=True)
        self._server_pid = int(self._admin.info("server")["process_id"])

    async def round(self, systems: Sequence[System], stages: Sequence[str]) -> None:
        """Every stage, and in each of them every system."""
        self._one_at_a_time = asyncio.Lock()
        for stage in stages:
            taking_part = [
                system
                for system in systems
                if stage in (system.stages or STAGES) and (system.name, stage) not in self._failed
            ]
            apart = stage in EACH_HAS_A_CORE
            with cores_apart(self._server_pid) if apart else nullcontext():
                if stage == TOGETHER:
                    await asyncio.gather(*(self._play(stage, system) for system in taking_part))
                    continue
                for system in taking_part:
                    self._admin.flushall()
                    await self._play(stage, system)
        self._admin.flushall()

    async def _play(self, stage: str, system: System) -> None:
        try:
            await getattr(self, stage)(system)
        except Failed as failure:
            self._failed.add((system.name, stage))
            found = self._results.found
            missing = [name for name in STAGES[stage] if system.name not in found.get(name, ())]
            self._results.leave_out(system, (missing or STAGES[stage])[0], str(failure))

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
        jobs = max(200, min(self._few(system), self._jobs // 50))
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

    async def drain_delayed_c50(self, system: System) -> None:
        """Drained at concurrency 50 from a server that is a millisecond away each way."""
        if not system.leading:
            return
        jobs = self._few(system)
        await self._say(system, "enqueue_bulk", jobs)
        with delayed(self._url, DELAY_MS) as far:
            await self._drain(system, "drain_delayed_c50", 50, jobs, url=far)

    async def add_alone(self, system: System) -> None:
        """How long an add takes that nothing else goes on beside."""
        answer = await self._say(system, "add_alone", ADDED_ALONE)
        p50_us, p99_us = percentiles(answer["took_us"])
        self._results.add(system, add_p50_ms=p50_us / 1000, add_p99_ms=p99_us / 1000)

    async def pickup(self, system: System) -> None:
        """How soon an idle worker starts a job."""
        enough = PICKUPS_OF_LEADING if system.leading else PICKUPS
        patience_s = self._pickup_s * (5 if system.leading else 1)
        async with (
            started(system, self._url, "answer") as worker,
            started(system, self._url, "feed") as feed,
        ):
            for _ in range(WARM_UPS):
                await self._pick_up(worker, feed)
            waits: list[float] = []
            until = time.monotonic() + patience_s
            while len(waits) < enough and (len(waits) < 2 or time.monotonic() < until):
                await asyncio.sleep(random.uniform(*REST_S))
                waits.append(await self._pick_up(worker, feed))
        p50_ms, p99_ms = percentiles(waits)
        self._results.add(system, pickup_p50_ms=p50_ms, pickup_p99_ms=p99_ms)

    async def first_job(self, system: System) -> None:
        """How long a process takes from its start to its first job, which waits already."""
        await self._say(system, "enqueue", 1)
        began_ms = time.monotonic_ns() / 1e6
        async with started(system, self._url, "answer") as worker:
            at_ms = (await line_of(worker))["at_ms"]
        self._results.add(system, first_job_s=(at_ms - began_ms) / 1000)

    async def idle(self, system: System) -> None:
        """What a worker costs that has run a few jobs and waits, and how soon it is back.

        It has a server of its own, so that all systems can wait in the same minute.
        """
        if not processes.can_be_told():
            raise Failed("told by Linux alone")
        async with AsyncExitStack() as stack:
            async with self._one_at_a_time:
                url = stack.enter_context(own_server())
                worker = await stack.enter_async_context(started(system, url, "answer"))
                feed = await stack.enter_async_context(started(system, url, "feed"))
                for _ in range(WARM_UPS):
                    await self._pick_up(worker, feed)
            await asyncio.sleep(min(5.0, self._idle_s))
            before_s, began = processes.cpu_s(worker.pid), time.monotonic()
            await asyncio.sleep(self._idle_s)
            used_s, seconds = processes.cpu_s(worker.pid) - before_s, time.monotonic() - began
            memory_mb = processes.memory_mb(worker.pid)
            async with self._one_at_a_time:
                waited_ms = await self._pick_up(worker, feed)
        self._results.add(
            system,
            idle_cpu_percent=used_s / seconds * 100,
            idle_rss_mb=memory_mb,
            pickup_idle_p50_ms=waited_ms,
        )

    def _share(self, system: System) -> int:
        return share_of(self._jobs, system)

    def _few(self, system: System) -> int:
        """For what takes slow systems longer still."""
        return self._share(system) // (1 if system.share == 1 else 5)

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
        url: str | None = None,
        costs: bool = False,
    ) -> None:
        before_s = self._server_cpu_s()
        answer = await self._say(system, role, concurrency, jobs, url=url)
        server_s = self._server_cpu_s() - before_s
        if system.speaks_bullmq:
            self._check_work(concurrency, jobs)
        self._results.add(system, **{metric: jobs / answer["seconds"]})
        if costs:
            self._results.add(system, server_cpu_ms_per_1k=server_s * 1e6 / jobs)
        if costs and "cpu_s" in answer:
            cpu_ms = answer["cpu_s"] * 1e6 / jobs
            self._results.add(system, worker_cpu_ms_per_1k=cpu_ms, rss_mb=answer["rss_mb"])

    def _check_work(self, concurrency: int, jobs: int) -> None:
        """Raise `Failed` unless it did what BullMQ does: jobs kept, results stored, events told.

        A process ends with its last handler, so that the jobs that were beside it stay active.
        """
        completed = self._admin.zrange("bull:bench:completed", 0, -1)
        under_way = self._admin.llen("bull:bench:active")
        if completed and len(completed) + under_way >= jobs and under_way <= 4 * concurrency:
            ended = self._admin.hgetall(f"bull:bench:{completed[-1]}")
            events = self._admin.xrevrange("bull:bench:events", count=10 * concurrency)
            told = {entry["event"] for _, entry in events}
            if {"returnvalue", "processedOn", "finishedOn", "atm"} <= ended.keys() and {
                "active",
                "completed",
            } <= told:
                return
        raise Failed(f"left other keys behind than BullMQ: {len(completed)} of {jobs} completed")

    def _server_cpu_s(self) -> float:
        used = self._admin.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    async def _say(
        self, system: System, role: str, *numbers: int, url: str | None = None
    ) -> dict[str, Any]:
        patience_s = ALONE_S if role == "work" and numbers[0] == 1 else PATIENCE_S
        async with started(system, url or self._url, role, *numbers) as process:
            return await line_of(process, patience_s)

    async def _pick_up(
        self, worker: asyncio.subprocess.Process, feed: asyncio.subprocess.Process
    ) -> float:
        assert feed.stdin
        feed.stdin.write(b"\n")
        return float((await line_of(worker))["waited_ms"])


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th of a hundred."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


def main() -> None:
    """Measure, print, write the results."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    jobs = int(os.environ.get("JOBS") or (2_000 if quick else 100_000))
    parser.add_argument("--jobs", type=int, default=jobs)
    parser.add_argument("--runs", type=int, default=1 if quick else 3)
    parser.add_argument("--pickup-seconds", type=float, default=1.0 if quick else 4.0)
    parser.add_argument("--idle-seconds", type=float, default=2.0 if quick else 60.0)
    known = [system.name for system in SYSTEMS]
    parser.add_argument("--systems", nargs="+", metavar="NAME", choices=known, default=known)
    wanted = [*STAGES, *(metric.name for metric in METRICS if metric.name not in STAGES)]
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        choices=wanted,
        default=list(STAGES),
        help=f"metrics, or stages that find some: {', '.join(wanted)}",
    )
    parser.add_argument(
        "--merge", action="store_true", help="put the figures among those of the last whole run"
    )
    arguments = parser.parse_args()
    chosen = [system for system in SYSTEMS if system.name in arguments.systems]
    stages = [stage for stage in STAGES if {stage, *STAGES[stage]} & set(arguments.metrics)]
    whole = len(chosen) == len(SYSTEMS) and len(stages) == len(STAGES)
    results = Measurements()
    load = load_average()
    with own_server() as url:
        about = {
            "jobs": {
                s.name: share_of(arguments.jobs, s)
                for s in chosen
                if s.stages is None or "drain_c50" in s.stages
            },
            "systems": {system.name: system.note for system in chosen},
            "left_out": results.left_out,
            "load_average_before": load,
            "versions": {"valkey": version_of(url), **versions()},
        }
        bench = Bench(
            url, arguments.jobs, arguments.pickup_seconds, arguments.idle_seconds, results
        )
        for number in range(arguments.runs):
            print(f"Round {number + 1} of {arguments.runs}", flush=True)
            turn = number * 5 % len(chosen)
            asyncio.run(bench.round([*chosen[turn:], *chosen[:turn]], stages))
            if number + 1 < arguments.runs:
                # So that nothing is lost when the rest is cut short.
                publish("queue", METRICS, summarise(results.found), about, trial=True)
        publish(
            "queue",
            METRICS,
            summarise(results.found),
            about,
            trial=quick or not (whole or arguments.merge),
            merge=arguments.merge and not quick,
        )


if __name__ == "__main__":
    main()
