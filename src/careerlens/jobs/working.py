"""A worker process: one worker per job type, what they share, and how they say they live."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.health import Health
from careerlens.foundation.logging import get_logger
from careerlens.foundation.settings import Settings
from careerlens.jobs.definitions import JobDefinition, Registry
from careerlens.jobs.keys import WORKERS_KEY
from careerlens.jobs.pace import Presence
from careerlens.jobs.processing import JobProcessor, describe_failure
from careerlens.jobs.uploads import UploadStore
from careerlens.jobs.workerhealth import SELF, Page, health_of, serve_page
from careerlens.jobs.workermetrics import Stats, stats_of
from careerlens.wire.errors import WireError
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link
from careerlens.worker import Limiter, Worker, WorkerOptions

HEARTBEAT_INTERVAL_S = 5.0
_FORGOTTEN_AFTER_MS = 3_600_000
_MINUTE_MS = 60_000

_log = get_logger("careerlens.worker")


async def run_worker(
    settings: Settings, redis_url: str, registry: Registry, *, types: Collection[str] | None = None
) -> None:
    """Work on every type of `registry`, or on `types` alone, until cancelled.

    Cancelling drains: nothing more is taken, running jobs end or are handed back within
    `settings.shutdown_seconds`.

    Raises `ConfigurationError` for an unknown type, for no type at all, and for a health port
    that is taken.
    """
    definitions = _chosen(registry, types)
    name = f"{socket.gethostname()}:{os.getpid()}"
    async with _link_to(redis_url) as link:
        uploads = UploadStore(link)
        workers = [
            Worker(
                definition.type,
                JobProcessor(definition, uploads),
                redis_url=redis_url,
                prefix=settings.queue_prefix,
                options=_options(settings, name),
                describe_failure=describe_failure,
            )
            for definition in definitions
        ]

        async def health() -> Health:
            return health_of(workers)

        async def stats() -> dict[str, Stats]:
            return {SELF: stats_of(workers)}

        async with serve_page(settings, Page(health, stats)):
            _log.info("working", types=[definition.type for definition in definitions])
            await _run_all(workers, link, name)


def _chosen(registry: Registry, types: Collection[str] | None) -> list[JobDefinition]:
    unknown = sorted(set(types or ()) - set(registry))
    known = ", ".join(sorted(registry)) or "none is installed"
    if unknown:
        raise ConfigurationError(
            "--types", f"unknown: {', '.join(unknown)}.", f"The known job types: {known}."
        )
    if not registry:
        raise ConfigurationError(
            "CAREERLENS_JOBS", "no job type is installed.", "Name a module with @job functions."
        )
    return [registry[name] for name in registry if types is None or name in types]


def _options(settings: Settings, name: str) -> WorkerOptions:
    limit = settings.worker_max_jobs
    return WorkerOptions(
        concurrency=settings.worker_concurrency,
        limiter=Limiter(max_jobs=limit, duration_ms=_MINUTE_MS) if limit is not None else None,
        shutdown_s=settings.shutdown_seconds,
        name=name,
    )


@asynccontextmanager
async def _link_to(redis_url: str) -> AsyncIterator[Link]:
    """A link for uploads and heartbeats, which connects when it is needed."""
    link = open_link(redis_url, name="careerlens:uploads")
    try:
        yield link
    finally:
        await link.close()


async def _run_all(workers: Sequence[Worker], link: Link, name: str) -> None:
    running = asyncio.create_task(_together(workers, link, name), name="workers")
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(*(worker.stop() for worker in workers))
        await asyncio.wait({running})
        raise
    finally:
        # Still there only when the stopping itself was cancelled.
        running.cancel()
        await asyncio.wait({running})


async def _together(workers: Sequence[Worker], link: Link, name: str) -> None:
    """Run every worker; the first that fails ends the process, in its own words."""
    try:
        async with asyncio.TaskGroup() as group:
            presences = [_presence(worker, name) for worker in workers]
            beating = group.create_task(_beat(link, name, presences), name="heartbeat")
            tasks = [
                group.create_task(worker.run(), name=f"worker {worker.queue_name}")
                for worker in workers
            ]
            await asyncio.wait(tasks)
            beating.cancel()
    except* ConfigurationError as errors:
        raise errors.exceptions[0] from None


def _presence(worker: Worker, name: str) -> Presence:
    limit = worker.options.limiter
    return Presence(
        queue=worker.queue_name,
        process=name,
        slots=worker.options.concurrency,
        start_interval_ms=limit.duration_ms / limit.max_jobs if limit is not None else 0.0,
    )


async def _beat(link: Link, name: str, presences: Sequence[Presence]) -> None:
    """Say again and again that this process is there. Silence while Redis is away is no harm."""
    try:
        while True:
            now_ms = epoch_ms()
            try:
                await link.call_each(
                    [
                        ("ZADD", WORKERS_KEY, now_ms, name),
                        ("ZREMRANGEBYSCORE", WORKERS_KEY, 0, now_ms - _FORGOTTEN_AFTER_MS),
                        *(command for each in presences for command in each.telling(now_ms)),
                    ]
                )
            except (ServiceUnavailableError, WireError) as error:
                _log.warning("heartbeat_not_written", problem=str(error))
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
    finally:
        with suppress(ServiceUnavailableError, WireError):  # then it fades by itself
            if link.is_connected:
                leaving = [each.leaving() for each in presences]
                await link.call_each([("ZREM", WORKERS_KEY, name), *leaving])
