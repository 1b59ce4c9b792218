"""`careerlens api`, `worker` and `socket`: one process each, as deployments start them."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


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
    from careerlens.cli.processes import keep_serving

    return keep_serving("api", serve, api_host=host, api_port=port)


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
    from careerlens.cli.processes import keep_serving
    from careerlens.realtime.gateway import serve

    return keep_serving("socket", serve, socket_host=host, socket_port=port)


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
    from careerlens.cli.processes import work

    return work(concurrency=concurrency, processes=processes, types=types)
