"""Very many idle clients of one gateway process, and what happens when it is restarted, or killed.

The clients are those of the React package, without a page around them (`tabs.mjs`): they wait
before they come back as browsers do. Meanwhile the API is asked again and again.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from processes import cpu_s, memory_mb

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "web"
BUNDLER = WEB / "node_modules/.bin/esbuild"
AT_ONCE = 50
SETTLES_WITHIN_S = 300.0
REQUESTS_PER_S = 20
IDLE_S = 5.0
_OTHER_FILES = 500

Listens = Callable[[int], Awaitable[None]]


def check_limits(clients: int) -> None:
    """Let this process and its children open so many sockets.

    Ends the program, saying what to do, where the system does not allow it.
    """
    wanted = clients + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(
            f"{clients:,} clients need {wanted:,} open files in one process, and no more than "
            f"{hard:,} are allowed here. Raise that first, as root: ulimit -Hn {wanted}"
        )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if not BUNDLER.exists():
        raise SystemExit("What bundles the client package is not installed. Type: make web")


class Tabs:
    """The clients, in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen = {"open": 0, "opened": 0, "refused": 0, "errors": 0, "updates": 0}

    async def until(self, condition: Callable[[dict[str, int]], bool], *, within_s: float) -> None:
        """Return once what they say fulfils it. Raises `TimeoutError` with what they said last."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                while not condition(self.seen):
                    line = await self._process.stdout.readline()
                    if not line:
                        raise RuntimeError("the clients' process has ended")
                    self.seen = json.loads(line)
        except TimeoutError:
            raise TimeoutError(f"the clients did not get so far: {self.seen}") from None


@asynccontextmanager
async def tabs_of(url: str, tokens: Sequence[str]) -> AsyncIterator[Tabs]:
    """A client for each token, which begin to connect at once."""
    with tempfile.TemporaryDirectory() as folder:
        built = f"{folder}/tabs.cjs"
        bundling = await asyncio.create_subprocess_exec(
            *(str(BUNDLER), str(HERE / "tabs.mjs"), "--bundle", "--platform=node", "--format=cjs"),
            *(f"--outfile={built}", "--log-level=error"),
        )
        if await bundling.wait():
            raise SystemExit("The client package cannot be bundled.")
        process = await asyncio.create_subprocess_exec(
            *("node", "--max-old-space-size=6144", built, url, str(AT_ONCE)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write("".join(f"{token}\n" for token in tokens).encode() + b"\n")
        await process.stdin.drain()
        try:
            yield Tabs(process)
        finally:
            process.kill()
            await process.wait()


class Asker:
    """Asks the API again and again: how long each answer took, and what went wrong."""

    def __init__(self, url: str, tokens: Sequence[str]) -> None:
        self._url = url
        self._tokens = tokens
        self.took_ms: list[float] = []
        self.errors: list[str] = []

    async def ask(self) -> None:
        """Create jobs and list them, for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with httpx.AsyncClient(base_url=self._url, timeout=10, trust_env=False) as client:
            number = 0
            while True:
                due += 1 / REQUESTS_PER_S
                await asyncio.sleep(due - loop.time())
                token = self._tokens[number % len(self._tokens)]
                number += 1
                await self._ask_once(client, token, creates=bool(number % 2))

    async def _ask_once(self, client: httpx.AsyncClient, token: str, *, creates: bool) -> None:
        headers = {"authorization": f"Bearer {token}"}
        started = time.perf_counter()
        try:
            if creates:
                body = {"type": "bench-talk", "times": 1, "restS": 0.0}
                answer = await client.post("/api/jobs", json=body, headers=headers)
            else:
                answer = await client.get("/api/jobs", headers=headers)
        except httpx.HTTPError as error:
            self.errors.append(repr(error))
            return
        self.took_ms.append((time.perf_counter() - started) * 1000)
        if answer.status_code not in {200, 202}:
            self.errors.append(f"{answer.status_code} {answer.text[:200]}")


async def measure_scale(
    tokens: Sequence[str],
    settings: Mapping[str, str],
    listens: Listens,
    tell_everybody: Callable[[], Awaitable[None]],
) -> dict[str, float]:
    """Connect a client for each token, then restart the gateway, then kill it.

    `tell_everybody` writes one entry for each client's user; all must hear it in the end.
    """
    clients = len(tokens)
    port, api_port = int(settings["SOCKET_PORT"]), int(settings["API_PORT"])
    asker = Asker(f"http://127.0.0.1:{api_port}", tokens)

    def start(part: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "careerlens", part], cwd=HERE, env=dict(settings)
        )

    gateway, api = start("socket"), start("api")
    asking: asyncio.Task[None] | None = None
    found: dict[str, float] = {}
    try:
        await listens(port)
        await listens(api_port)
        empty_mb = memory_mb(gateway.pid)
        async with tabs_of(f"http://127.0.0.1:{port}", tokens) as tabs:
            await tabs.until(lambda seen: seen["open"] == clients, within_s=SETTLES_WITHIN_S)
            used_s = cpu_s(gateway.pid)
            await asyncio.sleep(IDLE_S)
            found["scale_idle_cpu_percent"] = (cpu_s(gateway.pid) - used_s) / IDLE_S * 100
            found["scale_memory_kb"] = (memory_mb(gateway.pid) - empty_mb) * 1024 / clients
            asking = asyncio.create_task(asker.ask())
            for name, ends_by in (
                ("scale_restart_s", signal.SIGTERM),
                ("scale_crash_s", signal.SIGKILL),
            ):
                opened = tabs.seen["opened"]
                began = time.perf_counter()
                gateway.send_signal(ends_by)
                await asyncio.to_thread(gateway.wait)
                gateway = start("socket")
                await tabs.until(
                    lambda seen, so_far=opened: (  # type: ignore[misc]
                        seen["open"] == clients and seen["opened"] >= so_far + clients
                    ),
                    within_s=SETTLES_WITHIN_S,
                )
                found[name] = time.perf_counter() - began
            updates = tabs.seen["updates"]
            await tell_everybody()
            await tabs.until(
                lambda seen: seen["updates"] >= updates + clients, within_s=SETTLES_WITHIN_S
            )
            print(f"    {clients:,} clients: {tabs.seen}", flush=True)
    finally:
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        for process in (gateway, api):
            process.kill()
            process.wait()
    for error in asker.errors[:5]:
        print(f"    the API: {error}", flush=True)
    found["scale_api_errors"] = len(asker.errors)
    took_ms = sorted(asker.took_ms)
    found["scale_api_p99_ms"] = took_ms[int(len(took_ms) * 0.99)]
    return found
