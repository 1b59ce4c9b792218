"""Several processes as one: brought back when they die, stopped in order, never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from careerlens.foundation.supervision import (
    ChildFailedError,
    ChildSpec,
    NotReadyError,
    Supervisor,
)
from support import eventually, free_port

CHILD = """
import http.server, json, os, signal, subprocess, sys
from pathlib import Path
from careerlens.foundation.supervision import stop_with_supervisor

name, port, diary = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])

def note(what):
    with diary.open("a") as file:
        file.write(json.dumps([name, what, os.getpid()]) + "\\n")

def stop(*_):
    note("stop")
    os._exit(0)

if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, stop)
stop_with_supervisor(within=1 if "stubborn" in sys.argv else 60)
if "with-helper" in sys.argv:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with diary.open("a") as file:
        file.write(json.dumps([name, "helper", helper.pid]) + "\\n")
note("start")
if "misconfigured" in sys.argv:
    os._exit(3)

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()
    def log_message(self, *_):
        return

http.server.ThreadingHTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""


def child(name: str, diary: Path, *habits: str, grace_s: float = 10.0) -> ChildSpec:
    """A child that writes what happens to it into `diary`."""
    port = free_port()
    return ChildSpec(
        name=name,
        command=(sys.executable, "-c", CHILD, name, str(port), str(diary), *habits),
        ready_at=("127.0.0.1", port),
        grace_s=grace_s,
    )


def entries(diary: Path, what: str) -> list[tuple[str, int]]:
    """Who wrote `what`, and which process id goes with it, in order."""
    if not diary.exists():
        return []
    lines = [json.loads(line) for line in diary.read_text().splitlines()]
    return [(name, pid) for name, noted, pid in lines if noted == what]


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def is_gone(pid: int) -> bool:
    """The opposite of `is_alive`."""
    return not is_alive(pid)


@asynccontextmanager
async def supervised(*specs: ChildSpec) -> AsyncIterator[Supervisor]:
    """These children, ready; stopped in the end."""
    supervisor = Supervisor(specs)
    running = asyncio.create_task(supervisor.run())
    try:
        await supervisor.until_ready(within=30)
        yield supervisor
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    """Where the children write what happens to them."""
    return tmp_path / "diary"


async def test_a_killed_child_is_started_again(diary: Path) -> None:
    async with supervised(child("worker", diary), child("api", diary)) as supervisor:
        killed = supervisor.pids["worker"]
        unharmed = supervisor.pids["api"]
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: supervisor.pids.get("worker") not in {None, killed})
        await supervisor.until_ready(within=30)
        assert supervisor.pids["api"] == unharmed


async def test_children_are_stopped_one_after_the_other_in_the_order_given(diary: Path) -> None:
    names = ["worker", "api", "socket"]
    async with supervised(*(child(name, diary) for name in names)) as supervisor:
        pids = list(supervisor.pids.values())
    assert [name for name, _ in entries(diary, "stop")] == names
    assert not any(is_alive(pid) for pid in pids)


async def test_a_child_that_will_not_stop_is_killed_after_its_grace(diary: Path) -> None:
    async with supervised(child("worker", diary, "stubborn", grace_s=0.3)) as supervisor:
        pid = supervisor.pids["worker"]
    assert not is_alive(pid)


async def test_a_second_request_to_stop_waits_for_nobody(diary: Path) -> None:
    supervisor = Supervisor([child("worker", diary, "stubborn", grace_s=600)])
    running = asyncio.create_task(supervisor.run())
    await supervisor.until_ready(within=30)
    running.cancel()
    supervisor.hurry()
    await asyncio.wait({running}, timeout=10)
    assert running.done()


async def test_what_a_dead_child_started_is_ended_with_it(diary: Path) -> None:
    async with supervised(child("worker", diary, "with-helper")) as supervisor:
        ((_, helper),) = entries(diary, "helper")
        assert is_alive(helper)
        os.kill(supervisor.pids["worker"], signal.SIGKILL)
        await eventually(lambda: not is_alive(helper))


async def test_a_child_with_a_wrong_setting_ends_the_others_and_is_not_tried_again(
    diary: Path,
) -> None:
    supervisor = Supervisor([child("worker", diary, "misconfigured"), child("api", diary)])
    with pytest.raises(ChildFailedError) as failure:
        await supervisor.run()
    assert (failure.value.name, failure.value.exit_code) == ("worker", 3)
    assert supervisor.pids == {}
    assert len([name for name, _ in entries(diary, "start") if name == "worker"]) == 1


async def test_a_child_that_never_gets_ready_is_named(diary: Path) -> None:
    silent = child("api", diary)
    deaf = ChildSpec(
        name="socket",
        command=(sys.executable, "-c", "import time; time.sleep(600)"),
        ready_at=("127.0.0.1", free_port()),
        grace_s=0.1,
    )
    supervisor = Supervisor([silent, deaf])
    running = asyncio.create_task(supervisor.run())
    with pytest.raises(NotReadyError, match="socket"):
        await supervisor.until_ready(within=3)
    running.cancel()
    await asyncio.wait({running})


async def test_children_end_when_their_supervisor_is_killed(diary: Path, tmp_path: Path) -> None:
    """The supervisor gets no chance to say anything; the end of its pipes says it.

    One that does not heed that ends all the same.
    """
    script = tmp_path / "supervise.py"
    specs = [child("worker", diary), child("api", diary), child("deaf", diary, "stubborn")]
    commands = [(spec.name, spec.command, spec.ready_at) for spec in specs]
    script.write_text(
        "import asyncio\n"
        "from careerlens.foundation.supervision import ChildSpec, Supervisor\n"
        f"specs = [ChildSpec(name=n, command=c, ready_at=r) for n, c, r in {commands!r}]\n"
        "asyncio.run(Supervisor(specs).run())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(sys.executable, str(script))
    try:
        started = await eventually(
            lambda: entries(diary, "start") if len(entries(diary, "start")) == 3 else [], within=30
        )
    finally:
        supervisor.kill()
        await supervisor.wait()
    for _, pid in started:
        await eventually(partial(is_gone, pid))
    heeded = [(name, pid) for name, pid in sorted(started) if name != "deaf"]
    assert sorted(entries(diary, "stop")) == heeded
