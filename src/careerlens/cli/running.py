"""`careerlens run`: every process of the product, on this machine, by one command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from careerlens import __version__
from careerlens.cli.exits import Exit
from careerlens.cli.flags import Flag
from careerlens.cli.screen import CommandError, command, messages

if TYPE_CHECKING:
    from careerlens.foundation.embedded import RedisEndpoint
    from careerlens.foundation.settings import Settings
    from careerlens.foundation.supervision import ChildSpec, Supervisor

T = TypeVar("T")
READY_WITHIN_S = 60.0
EXAMPLE = Path(__file__).with_name("example-resume.txt")
EXAMPLE_ROLE = "Full Stack Developer"
_ASK_REDIS_EVERY_S = 1.0


def run(
    *,
    once: Flag = False,
    file: Annotated[Path | None, Parameter(alias="-f")] = None,
    role: Annotated[str | None, Parameter(alias="-r")] = None,
    json: Flag = False,
    processes: Annotated[int | None, Parameter(alias="-p")] = None,
) -> int:
    """Start everything: Redis (an embedded one unless configured), API and page, worker, sockets.

    Processes that die are started again. Ctrl-C stops them in order: the worker finishes or hands
    back its jobs first.

    For example:

        careerlens run
        API_PORT=3100 SOCKET_PORT=3101 careerlens run
        careerlens run --once --file resume.pdf --role "Data Engineer"

    Parameters
    ----------
    once:
        Analyse one résumé by the whole path, print the report, stop everything.
    file:
        With --once: the résumé; an example unless given.
    role:
        With --once: the role it is meant for. [Full Stack Developer]
    json:
        With --once: print the result as JSON.
    processes:
        How many processes run jobs. [WORKER_PROCESSES; 1]
    """
    from careerlens.cli.looping import run_async
    from careerlens.cli.submitting import read_resume
    from careerlens.foundation.logging import configure_logging
    from careerlens.foundation.settings import load_settings

    if not once and (file is not None or role is not None or json):
        raise CommandError(
            "--file, --role and --json belong to --once.",
            "Add --once, or use `careerlens optimize` while `careerlens run` is running.",
            code=Exit.USAGE,
        )
    upload = read_resume(str(file or EXAMPLE)) if once else None
    settings = load_settings(worker_processes=processes)
    configure_logging("run", settings)
    settings = _with_real_ports(settings)
    if upload is None:
        return run_async(_serve(settings), fast=True)
    return run_async(_once(settings, upload, role or EXAMPLE_ROLE, as_json=json), fast=True)


async def _serve(settings: Settings) -> int:
    from careerlens.foundation.supervision import Supervisor

    async def serve(endpoint: RedisEndpoint) -> None:
        messages().print(_where_things_are(settings, endpoint))
        await asyncio.Event().wait()

    await _with_everything(settings, Supervisor(_children(settings)), serve, patient=True)
    messages().print("Stopped.")
    return Exit.DONE


async def _once(settings: Settings, upload: tuple[str, bytes], role: str, *, as_json: bool) -> int:
    from careerlens.cli.connection import identify, open_api
    from careerlens.cli.submitting import DEFAULT_USER, RESUME_TYPE, run_job
    from careerlens.foundation.home import prepare_home
    from careerlens.foundation.supervision import Supervisor

    url = f"http://{_reachable(settings.listen_host(settings.api_host))}:{settings.api_port}"
    identity = identify(settings, url, DEFAULT_USER, None)

    async def analyse(_endpoint: RedisEndpoint) -> int:
        async with open_api(url, identity) as api:
            return await run_job(
                api,
                {"type": RESUME_TYPE, "targetRole": role},
                file=upload,
                title=f"{upload[0]} for {role}",
                as_json=as_json,
            )

    log_path = prepare_home(settings) / "run-once.log"
    messages().print(Text("Starting Redis, API, worker and sockets…", style="dim"))
    with log_path.open("wb") as log:
        supervisor = Supervisor(_children(settings), output=log)
        outcome = await _with_everything(settings, supervisor, analyse, log_path=log_path)
    return Exit.INTERRUPTED if outcome is None else outcome


async def _with_everything(
    settings: Settings,
    supervisor: Supervisor,
    use: Callable[[RedisEndpoint], Awaitable[T]],
    *,
    patient: bool = False,
    log_path: Path | None = None,
) -> T | None:
    """Start every process, `use` them once they are ready, stop them in order.

    Returns None when a signal ended it. `patient`: wait for a configured Redis for as long as it
    takes. `log_path` is where the children's words go when not to the screen.
    """
    from careerlens.cli.looping import until_stopped
    from careerlens.foundation.embedded import redis_for
    from careerlens.foundation.supervision import ChildFailedError, NotReadyError

    async def work() -> T:
        async with redis_for(settings) as endpoint:
            if not patient and not endpoint.embedded:
                await _ask_redis(endpoint.url)

            async def use_when_ready() -> T:
                if patient and not endpoint.embedded:
                    await _until_redis_answers(endpoint.url)
                await supervisor.until_ready(within=READY_WITHIN_S)
                return await use(endpoint)

            return await _beside(supervisor, use_when_ready())

    try:
        return await until_stopped(work(), again=supervisor.hurry)
    except ChildFailedError as error:
        raise _child_problem(f"{error.name} cannot run.", log_path, error.exit_code) from None
    except NotReadyError as error:
        raise _child_problem(f"{error}.", log_path, Exit.UNAVAILABLE) from None


async def _until_redis_answers(url: str) -> None:
    """Return when it does; meanwhile the other processes live and answer that it does not."""
    from careerlens.foundation.errors import ServiceUnavailableError
    from careerlens.foundation.redis import display_url

    last_problem = ""
    while True:
        try:
            await _ask_redis(url)
        except ServiceUnavailableError as error:
            if error.problem != last_problem:
                messages().print(f"Waiting for Redis at {display_url(url)}: {error.problem}")
            last_problem = error.problem
            await asyncio.sleep(_ASK_REDIS_EVERY_S)
        else:
            return


async def _ask_redis(url: str) -> None:
    """Return when it answers. Raises `ServiceUnavailableError`, whose problem says what to do."""
    from careerlens.foundation.redis import CONNECT_TIMEOUT_S, connect, ping
    from careerlens.foundation.redisurl import RedisUrl, Topology
    from careerlens.wire.opening import open_link

    if RedisUrl.parse(url).topology is Topology.CLUSTER:
        async with open_link(url, name="careerlens:run", timeout_s=CONNECT_TIMEOUT_S):
            return
    async with connect(url) as client:
        await ping(client)


async def _beside(supervisor: Supervisor, use: Coroutine[Any, Any, T]) -> T:
    """Await `use` beside the running children. What ends first ends the other."""
    running = asyncio.create_task(supervisor.run(), name="supervisor")
    using = asyncio.create_task(use, name="use")
    try:
        await asyncio.wait({running, using}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        return using.result()
    finally:
        # First what uses the children, which may have to say goodbye to them.
        for task in (using, running):
            task.cancel()
            await asyncio.wait({task})


def _child_problem(problem: str, log_path: Path | None, code: int) -> CommandError:
    remedy = "It says why above."
    if log_path is not None:
        sys.stderr.write(log_path.read_text("utf-8", errors="replace"))
        remedy = f"It says why above, and in {log_path}."
    return CommandError(problem, remedy, code=Exit.of(code))


def _children(settings: Settings) -> list[ChildSpec]:
    """The processes, in the order in which they are stopped.

    The worker goes first, so that the last steps of its jobs still reach who is watching.
    """
    from careerlens.foundation.supervision import STOP_MARGIN_S, ChildSpec

    assert settings.worker_health_port is not None
    environment = {
        "API_PORT": str(settings.api_port),
        "SOCKET_PORT": str(settings.socket_port),
        "WORKER_HEALTH_PORT": str(settings.worker_health_port),
        "WORKER_PROCESSES": str(settings.worker_processes),
    }
    return [
        ChildSpec(
            name=name,
            command=(sys.executable, "-m", "careerlens", name),
            ready_at=(host, port),
            environment=environment,
            # Twice, for a worker may have children of its own to wait for.
            grace_s=settings.shutdown_seconds + 2 * STOP_MARGIN_S,
        )
        for name, host, port in (
            ("worker", "127.0.0.1", settings.worker_health_port),
            ("api", settings.listen_host(settings.api_host), settings.api_port),
            ("socket", settings.listen_host(settings.socket_host), settings.socket_port),
        )
    ]


def _with_real_ports(settings: Settings) -> Settings:
    """The settings with each port that was left open chosen.

    Raises `ConfigurationError` for one that another program has.
    """
    from careerlens.foundation.errors import ConfigurationError
    from careerlens.foundation.ports import any_free_port, is_free

    chosen: dict[str, int] = {}
    for field, variable, port, host in (
        ("api_port", "API_PORT", settings.api_port, settings.api_host),
        ("socket_port", "SOCKET_PORT", settings.socket_port, settings.socket_host),
        ("worker_health_port", "WORKER_HEALTH_PORT", settings.worker_health_port, "127.0.0.1"),
    ):
        address = settings.listen_host(host)
        if not port:
            chosen[field] = any_free_port(address)
        elif not is_free(port, address):
            raise ConfigurationError(
                variable,
                f"port {port} is taken by another program (or by another `careerlens run`).",
                f"Stop that one, or choose another port: {variable}={port + 100} careerlens run",
            )
    return settings.model_copy(update=chosen)


def _reachable(host: str) -> str:
    """`host` as a client on this machine writes it."""
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104
    return local.get(host, f"[{host}]" if ":" in host else host)


def _where_things_are(settings: Settings, endpoint: RedisEndpoint) -> Panel:
    from careerlens.foundation.redis import display_url

    def shown(host: str | None, port: int) -> str:
        address = _reachable(settings.listen_host(host))
        return f"http://{'localhost' if address == '127.0.0.1' else address}:{port}"

    api = shown(settings.api_host, settings.api_port)
    redis = display_url(endpoint.url)
    if endpoint.embedded:
        redis = f"embedded Valkey on port {endpoint.port}, data in {settings.home / 'valkey'}"
    rows = {
        "Page": f"{api}/",
        "API": f"{api}/api/jobs",
        "Sockets": shown(settings.socket_host, settings.socket_port),
        "Redis": redis,
        "Try": f'{command()} optimize resume.pdf --role "Data Engineer"',
        "Stop": "Ctrl-C",
    }
    table = Table.grid(padding=(0, 3))
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, Text(value))
    title = f"CareerLens Jobs {__version__} is running ({settings.environment.value})"
    return Panel(table, title=title, title_align="left", expand=False, padding=(1, 2))
