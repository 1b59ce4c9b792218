"""`careerlens run`: the whole product by one command, also from nothing but its wheel."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from careerlens.cli.exits import Exit
from support import eventually, free_port

ROOT = Path(__file__).parents[2]
WITHIN_S = 90


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a command in an empty folder: its own ports, no Redis configured."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "API_PORT": str(free_port()),
        "SOCKET_PORT": str(free_port()),
        "CAREERLENS_HOME": str(tmp_path / "home"),
        "COLUMNS": "120",
    }


@dataclass
class Running:
    """A `careerlens run` and what it has said so far."""

    process: asyncio.subprocess.Process
    environment: Mapping[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.environment['API_PORT']}"

    async def listen(self) -> None:
        """Collect what it says until it ends."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode())

    async def until_it_says(self, text: str) -> None:
        """Return once `text` has been said."""

        def said() -> bool:
            assert self.process.returncode is None, "".join(self.said)
            return any(text in line for line in self.said)

        await eventually(said, within=WITHIN_S)


@asynccontextmanager
async def running(
    folder: Path, environment: Mapping[str, str], *options: str
) -> AsyncIterator[Running]:
    """A started `careerlens run`, ready; killed in the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "careerlens", "run", *options),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    run = Running(process, environment)
    listening = asyncio.create_task(run.listen())
    try:
        await run.until_it_says("is running")
        yield run
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        await listening


def processes_of(environment: Mapping[str, str]) -> dict[int, str]:
    """Every process that works for this environment's folder, and its command line."""
    listed = subprocess.run(
        ["ps", "-e", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = (line.strip().partition(" ") for line in listed.splitlines())
    home = environment["CAREERLENS_HOME"]
    return {
        int(pid): arguments
        for pid, _, arguments in lines
        if home in arguments or works_in(int(pid), home)
    }


def works_in(pid: int, home: str) -> bool:
    """Whether the process was told to use `home`, or has it as its folder, as Valkey does."""
    try:
        told = f"CAREERLENS_HOME={home}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        return told or str(Path(f"/proc/{pid}/cwd").readlink()).startswith(home)
    except OSError:
        return False


async def test_once_runs_an_example_through_the_whole_path_and_leaves_nothing_behind(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "careerlens", "run", "--once"),
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == Exit.DONE, err.decode()
    report = out.decode()
    for part in ("ATS score", "Keywords", "What to improve", "Quick wins"):
        assert part in report
    steps = re.findall(r"^ +\d+%  ", err.decode(), re.MULTILINE)
    assert len(steps) >= 5, err.decode()
    assert "100%  Done" in err.decode()
    assert processes_of(environment) == {}


async def test_once_tells_why_it_failed_and_its_exit_code_says_so_too(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "not-a-resume.pdf").write_bytes(b"%PDF-1.7\nthis is no PDF at all\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "careerlens", "run", "--once", "--file", "not-a-resume.pdf"),
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == Exit.FAILED, err.decode()
    assert out == b""
    assert "error: " in err.decode()
    assert "Traceback" not in err.decode()
    assert processes_of(environment) == {}


async def test_it_says_where_everything_is_and_stops_it_all_when_asked(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with running(tmp_path, environment) as run:
        said = "".join(run.said)
        assert f"http://localhost:{environment['API_PORT']}/" in said
        assert f"http://localhost:{environment['SOCKET_PORT']}" in said
        assert "embedded Valkey on port" in said
        async with httpx.AsyncClient() as client:
            page = await client.get(run.url + "/health/ready")
        assert page.status_code == 200
        run.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(run.process.wait(), 40) == Exit.DONE
        assert processes_of(environment) == {}


async def test_a_killed_process_comes_back_and_jobs_go_on(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Each of API, worker and gateway in turn, and the embedded server too."""
    async with running(tmp_path, environment) as run, httpx.AsyncClient(timeout=10) as client:
        for victim in ("api", "worker", "socket", "valkey"):
            pids = find(environment, victim)
            assert len(pids) == 1, (victim, processes_of(environment), run.said)
            (pid,) = pids
            os.kill(pid, signal.SIGKILL)
            await eventually(partial(is_back, environment, victim, pid), within=WITHIN_S)
        assert await eventually(lambda: optimize_once(client, run.url), within=WITHIN_S)


async def test_it_passes_on_how_many_processes_run_jobs_and_none_outlives_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["CAREERLENS_SHUTDOWN_SECONDS"] = "1"
    async with running(tmp_path, environment, "--processes", "2") as run:
        parent_and_two = find(environment, "worker")
        assert len(parent_and_two) == 3, processes_of(environment)
        async with httpx.AsyncClient(timeout=10) as client:
            assert await optimize_once(client, run.url)
        run.process.kill()
        await run.process.wait()
        await eventually(lambda: processes_of(environment) == {}, within=WITHIN_S)


async def optimize_once(client: httpx.AsyncClient, url: str) -> bool:
    """Whether a job, created now, completes."""
    caller = {"x-user-id": "somebody"}
    fields = {
        "type": "resume-optimization",
        "resumeText": (ROOT / "src/careerlens/cli/example-resume.txt").read_text(),
        "targetRole": "Full Stack Developer",
    }
    try:
        created = await client.post(url + "/api/jobs", json=fields, headers=caller)
        if created.status_code != 202:
            return False
        status_url = created.headers["location"]

        async def completed() -> bool:
            status = (await client.get(httpx.URL(url).join(status_url), headers=caller)).json()
            return bool(status.get("status") == "completed")

        return await eventually(completed, within=60)
    except httpx.HTTPError:
        return False


def find(environment: Mapping[str, str], part: str) -> list[int]:
    """The process ids of a part of this environment's product."""
    pattern = "valkey-server" if part == "valkey" else f"-m careerlens {part}"
    return [pid for pid, line in processes_of(environment).items() if pattern in line]


def is_back(environment: Mapping[str, str], part: str, killed: int) -> bool:
    """Whether another process has taken the killed one's place."""
    pids = find(environment, part)
    return bool(pids) and killed not in pids


async def test_the_wheel_alone_runs_everything_the_page_included(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Outside the tree, with nothing of it on the path: no sources, no Node."""
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    build = ("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels))
    subprocess.run([*pip, *build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    install = ("install", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    subprocess.run([*pip, *install], check=True, capture_output=True)
    environment["PYTHONPATH"] = str(site)
    where = subprocess.run(
        [sys.executable, "-c", "import careerlens; print(careerlens.__file__)"],
        capture_output=True, text=True, check=True, env=environment, cwd=tmp_path,
    ).stdout  # fmt: skip
    assert Path(where.strip()).is_relative_to(site)
    async with running(tmp_path, environment) as run, httpx.AsyncClient() as client:
        page = await client.get(run.url + "/")
        assert page.status_code == 200
        (script,) = re.findall(r'src="(/assets/[^"]+\.js)"', page.text)
        assert (await client.get(run.url + script)).status_code == 200
    done = subprocess.run(
        [sys.executable, "-m", "careerlens", "run", "--once", "--json"],
        capture_output=True, text=True, check=True, env=environment, cwd=tmp_path,
        timeout=WITHIN_S,
    )  # fmt: skip
    assert 0 <= json.loads(done.stdout)["atsScore"] <= 100
