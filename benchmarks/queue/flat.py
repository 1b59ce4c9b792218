"""Does a call cost more when the line is long? What the server spends on each at two lengths.

    make bench-flat                     # at a thousand and at a million waiting jobs, some minutes
    make bench-flat QUICK=1             # at a thousand and at twenty thousand
    make bench-flat ARGS="--kinds prioritised --turns 20"

One server has a short line and a long one, filled as the product fills them (prioritised, ids that
name their owner) or as BullMQ does by default (standard). In each are twenty jobs of one user, and
theirs is the list that is read. The lines are asked in turns, each call alone, and the server's
own log of commands tells how long it was busy with it, so that other programs hardly matter; then
they are asked again without that log, for how long the caller waits.
Before each turn it reads two thousand other jobs: else all jobs of the short line would lie in the
processor's cache, which they do in no busy server. The first calls of a turn do not count: they
bring back the code and what both lines have. Writes `benchmarks/results/flat.json`.
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
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1]))

from pydantic import BaseModel
from report import here_and_now, load_average, put_into_page, summarise, table, write_results
from server import own_server, version_of

from careerlens.foundation.clock import epoch_ms
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import Registry, job
from careerlens.jobs.finding import JobFinder
from careerlens.jobs.ids import JobId, new_job_id
from careerlens.jobs.liveindex import LiveIndex
from careerlens.jobs.manager import KEPT_FINISHED, PRIORITY, JobManager
from careerlens.queue import Backoff, JobOptions, NewJob, Queue
from careerlens.wire import Link
from careerlens.wire.calls import QueueCalls, fetch_options, finish_options

SHORT, LONG = "bench-short", "bench-long"
USERS, OWNED = 1_000, 20
BATCH = 1_000
DISTURBANCE = 2_000
CALLS_A_TURN, UNCOUNTED = 5, 2
TOKEN, LOCK_MS = "flat", 600_000
KINDS = {"prioritised": PRIORITY, "standard": 0}

Action: TypeAlias = Callable[[], Awaitable[None]]
Stopwatch: TypeAlias = Callable[[Link, Action], Awaitable[float]]
Found: TypeAlias = dict[int, dict[str, list[float]]]
"""Microseconds of each call, by the name of the call, by how many jobs waited."""


class Number(BaseModel):
    number: int


@job(SHORT)
async def short(_context: JobContext, _data: Number) -> None:
    """The type of the jobs in the short line; nobody runs them."""


@job(LONG)
async def long(_context: JobContext, _data: Number) -> None:
    """The type of the jobs in the long line."""


class Line:
    """A queue in which many jobs wait, and the calls that are made on it."""

    def __init__(self, name: str, link: Link, priority: int) -> None:
        registry = Registry.of(short, long)
        self._name = name
        self._user = f"lister-{name}"
        self._link = link
        self._queue = Queue(name, link)
        self._calls = QueueCalls(self._queue.keys)
        self._manager = JobManager(link, registry)
        self._live = LiveIndex(link, JobFinder(link, registry, prefix="bull"))
        self._priority = priority
        self._waiting: list[str] = []
        self._running: list[str] = []
        self._ended: list[str] = []

    async def fill(self, length: int) -> None:
        """Add jobs of many users, and halfway those of one more."""
        await self._queue.open()
        for start in range(0, length, BATCH):
            ids = [self._id(f"user-{random.randrange(USERS)}") for _ in range(BATCH)]
            await self._queue.add_bulk([self._new(job_id) for job_id in ids])
            self._waiting += map(str, ids)
            if start <= length / 2 < start + BATCH:
                for job_id in [self._id(self._user) for _ in range(OWNED)]:
                    job, entering = (
                        self._new(job_id),
                        self._live.entering(self._user, self._name, job_id),
                    )
                    await self._queue.add(job.name, job.data, job.options, ahead=entering)

    def steps(self) -> dict[str, Action]:
        """The calls by their names, in the order in which they are to be made."""
        return {
            "add": self._add,
            "status": self._ask,
            "list": self._list,
            "cancel": self._cancel,
            "fetch": self._fetch,
            "finish": self._finish,
        }

    async def disturb(self) -> None:
        """Have the server read other jobs, so that its caches are full of them."""
        jobs = random.sample(self._waiting, min(DISTURBANCE, len(self._waiting)))
        await self._queue.jobs(jobs)

    async def _add(self) -> None:
        job_id = self._id(f"user-{random.randrange(USERS)}")
        if self._priority:
            await self._manager.create_job(self._name, {"number": 1}, job_id.user_id, job_id=job_id)
        else:
            new = self._new(job_id)
            await self._queue.add(new.name, new.data, new.options)
        self._waiting.append(str(job_id))

    async def _ask(self) -> None:
        job_id = self._any()
        status = await self._manager.get_job_status(job_id, _owner(job_id))
        assert status.status == "queued"

    async def _list(self) -> None:
        assert len(await self._manager.list_active_jobs(self._user)) == OWNED

    async def _cancel(self) -> None:
        job_id = self._any()
        self._ended.append(job_id)
        answer = await self._manager.cancel_job(job_id, _owner(job_id))
        assert answer.outcome == "cancelled"

    async def _fetch(self) -> None:
        options = fetch_options(TOKEN, LOCK_MS, None, None)
        reply = await self._link.run(*self._calls.take(epoch_ms(), options))
        self._running.append(reply[1].decode())

    async def _finish(self) -> None:
        job_id = self._running.pop(0)
        self._ended.append(job_id)
        options = finish_options(
            TOKEN, LOCK_MS, None, None, keep=KEPT_FINISHED, attempts=3, stored={}
        )
        call = self._calls.finish(
            job_id, epoch_ms(), "completed", "null", options, {}, fetch_next=False
        )
        assert await self._link.run(*call) == 0

    def _any(self) -> str:
        """Some job that waits."""
        while (job_id := random.choice(self._waiting)) in self._ended:
            pass
        return job_id

    def _id(self, user: str) -> JobId:
        return new_job_id(user, self._name)

    def _new(self, job_id: JobId) -> NewJob:
        options = JobOptions(
            job_id=str(job_id),
            attempts=3,
            backoff=Backoff(),
            priority=self._priority,
            remove_on_complete=KEPT_FINISHED,
            remove_on_fail=KEPT_FINISHED,
            timestamp_ms=job_id.created_at_ms,
        )
        return NewJob(
            name=self._name, data={"number": 1, "userId": job_id.user_id}, options=options
        )


def _owner(job_id: str) -> str:
    return job_id.partition(":")[0]


async def measure(
    url: str, priority: int, lengths: Sequence[int], turns: int
) -> tuple[Found, Found]:
    """What each call costs the server at each of the lengths, and how long its caller waits."""
    async with Link(url, timeout_s=60) as link:
        lines = {
            length: Line(name, link, priority)
            for length, name in zip(lengths, (SHORT, LONG), strict=True)
        }
        for length, line in lines.items():
            started = time.perf_counter()
            await line.fill(length)
            print(f"  {length:,} waiting ({time.perf_counter() - started:.0f} s)", flush=True)
        await link.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
        busy = await _time(link, lines, turns, busy_us)
        await link.call("CONFIG", "SET", "slowlog-log-slower-than", -1)
        return busy, await _time(link, lines, turns, awaited_us)


async def _time(link: Link, lines: dict[int, Line], turns: int, took: Stopwatch) -> Found:
    found: Found = {length: defaultdict(list) for length in lines}
    longest = lines[max(lines)]
    for call in longest.steps():
        for _ in range(turns):
            for length, line in lines.items():
                await longest.disturb()
                step = line.steps()[call]
                took_us = [await took(link, step) for _ in range(CALLS_A_TURN)]
                found[length][call] += took_us[UNCOUNTED:]
    return found


async def awaited_us(_link: Link, step: Action) -> float:
    """The microseconds that the caller waits."""
    started = time.perf_counter()
    await step()
    return (time.perf_counter() - started) * 1e6


async def busy_us(link: Link, step: Action) -> float:
    """The microseconds that the server spends on what the step asks of it."""
    await link.call("SLOWLOG", "RESET")
    await step()
    noted = await link.call("SLOWLOG", "GET", -1)
    return sum(
        float(took_us) for _, _, took_us, words, *_ in noted if words[0].upper() != b"SLOWLOG"
    )


def show(kind: str, busy: Found, awaited: Found) -> list[list[str]]:
    """A row of the table for each call: what it costs at each length, and how they compare."""
    rows = []
    for call in next(iter(busy.values())):
        words = []
        for found in (busy, awaited):
            medians = [statistics.median(found[length][call]) for length in found]
            words += [f"{median:,.0f} µs" for median in medians]
            words.append(f"{medians[-1] / medians[0]:.2f}")
        rows.append([f"{call}, {kind}", *words])
        print(f"  {call:8} {'  '.join(f'{word:>10}' for word in words)}", flush=True)
    return rows


def main() -> None:
    """Fill, measure, print, write the results."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--turns", type=int, default=10 if quick else 100)
    parser.add_argument(
        "--lengths", type=int, nargs=2, default=[1_000, 20_000 if quick else 1_000_000]
    )
    arguments = parser.parse_args()
    load = load_average()
    samples: dict[str, dict[str, list[float]]] = defaultdict(dict)
    rows: list[list[str]] = []
    for kind in arguments.kinds:
        print(f"{kind.capitalize()} jobs", flush=True)
        with own_server() as url:
            version = version_of(url)
            busy, awaited = asyncio.run(
                measure(url, KINDS[kind], arguments.lengths, arguments.turns)
            )
        rows += show(kind, busy, awaited)
        for found, metric in ((busy, "us"), (awaited, "awaited_us")):
            for length, calls in found.items():
                for call, took_us in calls.items():
                    samples[f"{call}_{metric}"][f"{kind}-{length}"] = took_us
    trial = quick or len(arguments.kinds) < len(KINDS)
    write_results("flat", summarise(samples), trial=trial)
    if not trial:
        few, many = (f"{length:,}" for length in arguments.lengths)
        head = ["", f"server, {few} waiting", f"{many} waiting", "ratio"]
        head += [f"caller, {few} waiting", f"{many} waiting", "ratio"]
        counted = arguments.turns * (CALLS_A_TURN - UNCOUNTED)
        words = f"Measured on {here_and_now(load)}; Valkey {version}; medians of {counted} calls."
        put_into_page("flat", f"{table(head, rows)}\n\n{words}")


if __name__ == "__main__":
    main()
