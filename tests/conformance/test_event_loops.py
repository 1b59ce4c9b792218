"""Processes run on uvloop where it is installed, and on asyncio's own loop elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from careerlens.queue import Queue
from careerlens.wire import Link
from support import eventually

JOBS = '''
import asyncio
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import job
from careerlens.jobs.model import WireModel

class Nothing(WireModel):
    pass

@job("which-loop")
async def which_loop(ctx: JobContext, data: Nothing) -> str:
    """Name the library of the event loop."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]
'''


@pytest.mark.parametrize("is_installed", [True, False])
async def test_a_worker_takes_uvloop_where_there_is_one(
    is_installed: bool, link: Link, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "loop_jobs.py").write_text(JOBS)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = kept | {"REDIS_URL": redis_url, "CAREERLENS_JOBS": "loop_jobs"}
    if not is_installed:
        missing = tmp_path / "missing"
        missing.mkdir()
        (missing / "uvloop.py").write_text("raise ImportError('as if it were not installed')\n")
        environment["PYTHONPATH"] = str(missing)
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "careerlens", "worker"),
        cwd=tmp_path,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        queue = Queue("which-loop", link)
        job_id = await queue.add("which-loop", {"userId": "user-1"})

        async def answer() -> bytes:
            return await link.call("HGET", queue.keys.job(job_id), "returnvalue") or b""

        found = json.loads(await eventually(answer, within=30))
    finally:
        worker.terminate()
        code = await worker.wait()
    assert found == ("uvloop" if is_installed else "asyncio")
    assert code == 0
