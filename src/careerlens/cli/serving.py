"""`careerlens api`, `worker` and `socket`: one process each, as deployments start them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from careerlens.cli.exits import Exit

if TYPE_CHECKING:
    from careerlens.foundation.embedded import RedisEndpoint
    from careerlens.foundation.settings import Settings

Serve = Callable[["Settings", "RedisEndpoint"], Awaitable[None]]


def api(*, host: str | None = None, port: int | None = None) -> int:
    """Serve the HTTP API and the web page, until stopped.

    For example:

        careerlens api
        API_PORT=8080 REDIS_URL=redis://10.0.0.3:6379 careerlens api

    Parameters
    ----------
    host:
        The address to listen on. [API_HOST; loopback in development, else all addresses]
    port:
        The port to listen on. [API_PORT; 3000]
    """
    from careerlens.api.app import serve

    return _serve("api", serve, api_host=host, api_port=port)


def socket(*, host: str | None = None, port: int | None = None) -> int:
    """Serve live updates over Socket.IO, until stopped.

    For example:

        careerlens socket
        SOCKET_PORT=8081 CORS_ORIGIN=https://example.com careerlens socket

    Parameters
    ----------
    host:
        The address to listen on. [SOCKET_HOST; loopback in development, else all addresses]
    port:
        The port to listen on. [SOCKET_PORT; 3001]
    """
    from careerlens.realtime.gateway import serve

    return _serve("socket", serve, socket_host=host, socket_port=port)


def worker(
    *,
    concurrency: Annotated[int | None, Parameter(alias="-c")] = None,
    processes: Annotated[int | None, Parameter(alias="-p")] = None,
    types: Annotated[str | None, Parameter(alias="-t")] = None,
) -> int:
    """Run jobs, until stopped. Running jobs are finished, or handed back, before it ends.

    For example:

        careerlens worker
        careerlens worker --concurrency 20 --types resume-optimization
        careerlens worker --processes 4

    Parameters
    ----------
    concurrency:
        How many jobs of each type run at once, in each process. [WORKER_CONCURRENCY; 5]
    processes:
        How many processes run jobs; one that dies is started again. [WORKER_PROCESSES; 1]
    types:
        Only these job types, comma separated; all installed ones unless given.
    """

    async def serve(settings: Settings, endpoint: RedisEndpoint) -> None:
        if settings.worker_processes > 1:
            await _run_group(settings, types)
        else:
            await _run_alone(settings, endpoint, types)

    return _serve("worker", serve, worker_concurrency=concurrency, worker_processes=processes)


async def _run_alone(settings: Settings, endpoint: RedisEndpoint, types: str | None) -> None:
    from careerlens.jobs.definitions import load_registry
    from careerlens.jobs.working import run_worker

    chosen = [name.strip() for name in types.split(",") if name.strip()] if types else None
    await run_worker(settings, endpoint.url, load_registry(settings), types=chosen)


async def _run_group(settings: Settings, types: str | None) -> None:
    from careerlens.cli.screen import CommandError
    from careerlens.foundation.supervision import ChildFailedError
    from careerlens.jobs.workergroup import run_group

    command = [sys.executable, "-m", "careerlens", "worker"]
    command += ["--concurrency", str(settings.worker_concurrency)]
    command += ["--types", types] if types else []
    try:
        await run_group(settings, command)
    except ChildFailedError as error:
        raise CommandError(
            f"{error.name} cannot run.", "It says why above.", code=Exit.of(error.exit_code)
        ) from None


def _serve(component: str, serve: Serve, **flags: object) -> int:
    from careerlens.cli.looping import run_async, until_stopped
    from careerlens.foundation.embedded import redis_for
    from careerlens.foundation.logging import configure_logging
    from careerlens.foundation.settings import load_settings
    from careerlens.foundation.supervision import stop_with_supervisor

    settings = load_settings(**flags)
    configure_logging(component, settings)
    stop_with_supervisor()

    async def with_redis() -> None:
        async with redis_for(settings) as endpoint:
            await serve(settings, endpoint)

    run_async(until_stopped(with_redis()), fast=True)
    return Exit.DONE
