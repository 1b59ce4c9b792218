"""What a function that reads a stranger's document cannot do, whoever took it over."""

from __future__ import annotations

import asyncio
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

import isolated_functions as functions
from careerlens.foundation.sandbox import SandboxError, run_isolated

FILTERED = sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"}


@pytest.fixture
async def listener() -> Any:
    """A loopback server that counts its visitors."""
    visitors: list[None] = []

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visitors.append(None)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], visitors


async def test_no_network(listener: Any) -> None:
    port, visitors = listener
    with pytest.raises(SandboxError, match="network is not allowed"):
        await run_isolated(functions.connect, port, timeout=20)
    assert visitors == []


async def test_trusted_functions_reach_the_network(listener: Any) -> None:
    port, visitors = listener
    await run_isolated(functions.connect, port, timeout=20, trusted=True)
    assert len(visitors) == 1


async def test_no_writing_and_no_removing(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    for function, path in ((functions.write_file, tmp_path / "new"), (functions.remove_file, kept)):
        with pytest.raises(SandboxError, match="not allowed"):
            await run_isolated(function, str(path), timeout=20)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


async def test_no_programs() -> None:
    with pytest.raises(SandboxError, match="not allowed"):
        await run_isolated(functions.run_program, timeout=20)
    assert await run_isolated(functions.run_program, timeout=20, trusted=True) == "ran"


async def test_no_secrets_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "canary")
    assert "JWT_SECRET" not in await run_isolated(functions.environment_names, timeout=20)


@pytest.mark.skipif(not FILTERED, reason="the kernel's filter exists on Linux only")
async def test_native_code_is_held_by_the_kernel(tmp_path: Path) -> None:
    """The audit hook sees Python only; the filter refuses the system calls themselves."""
    assert await run_isolated(functions.connect_without_python, 1, timeout=20) == -1
    target = tmp_path / "new"
    assert await run_isolated(functions.write_without_python, str(target), timeout=20) == -1
    assert not target.exists()
    assert await run_isolated(functions.run_program_without_python, timeout=20) != 0
