"""What `careerlens api`, `worker` and `socket` do: one process each, until told to stop."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from careerlens.cli.exits import Exit

if TYPE_CHECKING:
    from careerlens.foundation.embedded import RedisEndpoint
    from careerlens.foundation.settings import Settings

Serve = Callable[["Settings", "RedisEndpoint"], Awaitable[None]]


def work(
    *, concurrency: int | None = None, processes: int | None = None, types: str | None = None
) -> int:
    """`careerlens worker`, with these options."""
    gc.disable()  # what is loaded until it runs, stays; looking for garbage there costs a tenth

    async def serve(settings: Settings, endpoint: RedisEndpoint) -> None:
        if settings.worker_processes > 1:
            await _run_group(settings, types)
        else:
            await _run_alone(settings, endpoint, types)

    try:
        return keep_serving(
            "worker", serve, worker_concurrency=concurrency, worker_processes=processes
        )
    finally:
        gc.enable()


def keep_serving(component: str, serve: Serve, **flags: object) -> int:
    """Read the settings, with `flags` over them, and `serve` until a signal says to stop."""
    from careerlens.cli.looping import run_async, until_stopped
    from careerlens.foundation.embedded import redis_for
    from careerlens.foundation.logging import configure_logging
    from careerlens.foundation.settings import load_settings
    from careerlens.foundation.supervision import STOP_MARGIN_S, stop_with_supervisor

    settings = load_settings(**flags)
    configure_logging(component, settings)
    stop_with_supervisor(within=settings.shutdown_seconds + STOP_MARGIN_S)

    async def with_redis() -> None:
        async with redis_for(settings) as endpoint:
            await serve(settings, endpoint)

    run_async(until_stopped(with_redis()), fast=True)
    return Exit.DONE


async def _run_alone(settings: Settings, endpoint: RedisEndpoint, types: str | None) -> None:
    from careerlens.jobs.definitions import load_registry
    from careerlens.jobs.working import run_worker

    chosen = [name.strip() for name in types.split(",") if name.strip()] if types else None
    registry = load_registry(settings)
    _spare_what_is_loaded()
    await run_worker(settings, endpoint.url, registry, types=chosen)


async def _run_group(settings: Settings, types: str | None) -> None:
    from careerlens.foundation.supervision import ChildFailedError
    from careerlens.jobs.workergroup import run_group

    _spare_what_is_loaded()
    command = [sys.executable, "-m", "careerlens", "worker"]
    command += ["--concurrency", str(settings.worker_concurrency)]
    command += ["--types", types] if types else []
    try:
        await run_group(settings, command)
    except ChildFailedError as error:
        from careerlens.cli.screen import CommandError

        raise CommandError(
            f"{error.name} cannot run.", "It says why above.", code=Exit.of(error.exit_code)
        ) from None


def _spare_what_is_loaded() -> None:
    """Let the garbage collector look at nothing but what comes from now on."""
    gc.freeze()
    gc.enable()
