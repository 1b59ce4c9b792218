"""Several worker processes under one parent, which keeps them running and answers for them.

careerlens worker --processes 3
└── parent: no jobs, no connection; WORKER_HEALTH_PORT
    ├── worker 1 ┐
    ├── worker 2 ├ whole worker processes: own event loop, connections, locks, concurrency
    └── worker 3 ┘

What is to hold for all of them, such as the limit of starts per minute, is kept in Redis, so it
holds across the group as it does across machines.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from careerlens.foundation.health import Condition, Health, word
from careerlens.foundation.logging import get_logger
from careerlens.foundation.probing import health_at, object_at
from careerlens.foundation.settings import Settings
from careerlens.foundation.supervision import STOP_MARGIN_S, ChildSpec, Supervisor
from careerlens.jobs.workerhealth import INHERITED_SOCKET, Page, serve_page
from careerlens.jobs.workermetrics import STATS_PATH, Stats

_log = get_logger("careerlens.worker")


async def run_group(settings: Settings, command: Sequence[str]) -> None:
    """Keep `settings.worker_processes` processes of `command` running until cancelled.

    `command` starts one worker process. Cancelling drains all at once, within
    `settings.shutdown_seconds`; one that has not ended some seconds later is killed.

    Raises `ChildFailedError` when one says that starting it again is of no use, and
    `ConfigurationError` for a health port that is taken.
    """
    with ExitStack() as open_sockets:
        specs = [
            open_sockets.enter_context(_spec(settings, f"worker {number + 1}", command))
            for number in range(settings.worker_processes)
        ]
        supervisor = Supervisor(specs, equals=True)

        async def health() -> Health:
            return await _health_of(supervisor, specs)

        async def stats() -> dict[str, Stats]:
            return await _stats_of(supervisor, specs)

        async with serve_page(settings, Page(health, stats)):
            _log.info("supervising workers", processes=len(specs))
            await supervisor.run()


@contextmanager
def _spec(settings: Settings, name: str, command: Sequence[str]) -> Iterator[ChildSpec]:
    """How to start one process, with the socket on which it is to tell how it is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield ChildSpec(
            name=name,
            command=tuple(command),
            ready_at=listening.getsockname(),
            environment={
                "WORKER_PROCESSES": "1",
                INHERITED_SOCKET: str(listening.fileno()),
            },
            grace_s=settings.shutdown_seconds + STOP_MARGIN_S,
            pass_fds=(listening.fileno(),),
        )


async def _health_of(supervisor: Supervisor, specs: Sequence[ChildSpec]) -> Health:
    """Ready when every process is. One that has died is not asked: its socket is still open."""
    alive = [spec for spec in specs if spec.name in supervisor.pids]
    answers = await asyncio.gather(*(health_at(*spec.ready_at) for spec in alive))
    ready = sum(answer.condition is Condition.READY for answer in answers)
    condition = Condition.READY if ready == len(specs) else Condition.NOT_READY
    if supervisor.is_stopping:
        condition = Condition.DRAINING
    reached = all(answer.checks.get("redis") == word(True) for answer in answers) and bool(answers)
    running = sum(int(answer.checks.get("running", 0)) for answer in answers)
    return Health(
        condition=condition,
        checks={"redis": word(reached), "processes": ready, "running": running},
    )


async def _stats_of(supervisor: Supervisor, specs: Sequence[ChildSpec]) -> dict[str, Stats]:
    """By process; of those that answer."""
    alive = [spec for spec in specs if spec.name in supervisor.pids]
    answers = await asyncio.gather(*(object_at(*spec.ready_at, STATS_PATH) for spec in alive))
    return {spec.name: stats for spec, stats in zip(alive, answers, strict=True) if stats}
