"""`careerlens doctor` finds what stands in the way, and says what to do about it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from careerlens.cli._main import run_command
from careerlens.cli.checks import Finding, Verdict, examine
from careerlens.cli.exits import Exit
from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.redis import connect
from careerlens.foundation.settings import Settings, load_settings
from careerlens.jobs.queues import note_used
from careerlens.queue import JobOptions, Queue
from careerlens.wire.link import Link
from conftest import ValkeyFactory
from support import free_port
from topologies import cluster


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each check runs in an empty folder, without settings."""
    monkeypatch.chdir(tmp_path)
    for variable in ("REDIS_URL", "REDIS_HOST", "CAREERLENS_ENV", "JWT_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def settings_with(**changes: object) -> Settings:
    """Development settings on free ports."""
    return load_settings(api_port=free_port(), socket_port=free_port(), **changes)


async def findings(settings: Settings) -> dict[str, Finding]:
    """What the doctor finds, by check."""
    return {finding.check: finding async for finding in examine(settings)}


def problems(found: dict[str, Finding]) -> set[str]:
    """The checks that found a problem."""
    return {check for check, finding in found.items() if finding.verdict is Verdict.PROBLEM}


async def test_an_empty_folder_is_fit_to_run() -> None:
    found = await findings(settings_with())
    assert problems(found) == set()
    assert "the embedded Valkey answers" in found["redis"].found
    assert "noeviction" in found["redis eviction"].found
    assert "append-only file is on" in found["redis persistence"].found


async def test_a_node_of_a_cluster_is_a_problem_with_its_remedy(
    valkey_factory: ValkeyFactory,
) -> None:
    server = valkey_factory(**{"cluster-enabled": "yes", "cluster-port": str(free_port())})
    found = await findings(settings_with(redis_url=server.url))
    assert "redis cluster" in problems(found)
    assert "redis+cluster://" in found["redis cluster"].remedy


async def test_each_node_of_a_cluster_is_looked_at(tmp_path: Path) -> None:
    async with cluster(tmp_path, primaries=1) as nodes:
        (node,) = nodes.primaries
        settings = settings_with(redis_url=nodes.url, queue_prefix="{bull}")
        found = await findings(settings)
        where = f"127.0.0.1:{node.port}"
        assert problems(found) == set()
        assert f"its primaries: {where}" in found["redis cluster"].found
        assert f"{where} answers in" in found["redis"].found
        assert found["redis scripts"].found.startswith(f"{where}: ")
        assert found["waiting jobs"].found == "none"
        node.kill()
        assert "redis" in problems(await findings(settings))


async def test_a_redis_that_throws_jobs_away_is_a_problem_with_its_remedy(
    valkey_factory: ValkeyFactory,
) -> None:
    server = valkey_factory(**{"maxmemory-policy": "allkeys-lru"})
    found = await findings(settings_with(redis_url=server.url))
    assert problems(found) == {"redis eviction"}
    assert "CONFIG SET maxmemory-policy noeviction" in found["redis eviction"].remedy


async def test_a_redis_that_forgets_when_it_crashes_is_a_warning(
    valkey_factory: ValkeyFactory,
) -> None:
    found = await findings(settings_with(redis_url=valkey_factory().url))
    assert found["redis persistence"].verdict is Verdict.WARNING
    assert "appendonly yes" in found["redis persistence"].remedy


async def test_a_replica_is_a_problem(valkey_factory: ValkeyFactory) -> None:
    primary = valkey_factory(durable=True)
    replica = valkey_factory(durable=True, replicaof=f"127.0.0.1 {primary.port}")
    found = await findings(settings_with(redis_url=replica.url))
    assert "redis role" in problems(found)
    assert "primary" in found["redis role"].remedy


async def test_nearly_full_memory_is_a_warning(valkey_factory: ValkeyFactory) -> None:
    server = valkey_factory(durable=True, maxmemory="1mb")
    found = await findings(settings_with(redis_url=server.url))
    assert found["redis memory"].verdict is Verdict.WARNING


async def test_waiting_jobs_are_counted_and_long_waits_are_a_warning(
    valkey_factory: ValkeyFactory,
) -> None:
    server = valkey_factory(durable=True)
    settings = settings_with(redis_url=server.url)
    assert (await findings(settings))["waiting jobs"].found == "none"
    async with Link(server.url) as link:
        await note_used(link, "letter")
        queue = Queue("letter", link)
        await queue.add("letter", {}, JobOptions(priority=1))
        found = (await findings(settings))["waiting jobs"]
        assert found.verdict is Verdict.OK
        assert found.found.startswith("letter: 1, the next for ")
        hour_ago = JobOptions(timestamp_ms=epoch_ms() - 3_600_000)
        await queue.add("letter", {}, hour_ago)
        found = (await findings(settings))["waiting jobs"]
        assert found.verdict is Verdict.WARNING
        assert found.found.startswith("letter: 2, the next for 36")
        assert "worker" in found.remedy


async def test_a_wrong_password_is_told_apart_from_silence(valkey_factory: ValkeyFactory) -> None:
    server = valkey_factory(durable=True)
    async with connect(server.url) as client:
        await client.config_set("requirepass", "right")
    url = f"redis://:wrong-password@127.0.0.1:{server.port}/0"
    found = await findings(settings_with(redis_url=url))
    assert problems(found) == {"redis"}
    assert "REDIS_PASSWORD" in found["redis"].found
    assert "wrong-password" not in found["redis"].found


async def test_a_redis_that_is_not_there_is_named_with_the_way_out() -> None:
    port = free_port()
    found = await findings(settings_with(redis_url=f"redis://127.0.0.1:{port}/0"))
    assert problems(found) == {"redis"}
    assert str(port) in found["redis"].found
    assert "REDIS_HOST or REDIS_URL" in found["redis"].found


async def test_a_port_that_another_program_has_is_a_problem() -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        found = await findings(
            load_settings(api_port=occupant.getsockname()[1], socket_port=free_port())
        )
    assert problems(found) == {"api port"}
    assert "API_PORT" in found["api port"].remedy


async def test_a_folder_that_cannot_be_used_is_a_problem(folder: Path) -> None:
    (folder / "file").write_text("")
    found = await findings(settings_with(home=folder / "file"))
    assert {"folder", "redis", "identity"} <= problems(found)
    assert "CAREERLENS_HOME" in found["folder"].remedy


async def test_production_without_a_secret_is_a_problem(redis_url: str) -> None:
    found = await findings(settings_with(environment="production", redis_url=redis_url))
    assert "identity" in problems(found)
    assert "openssl rand" in found["identity"].remedy


def test_the_exit_code_says_whether_something_stands_in_the_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert run_command(["doctor"]) == Exit.FAILED
    assert "to correct" in capsys.readouterr().out
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("API_PORT", str(free_port()))
    monkeypatch.setenv("SOCKET_PORT", str(free_port()))
    assert run_command(["doctor", "--json"]) == Exit.DONE
    document = json.loads(capsys.readouterr().out)
    assert {"check", "verdict", "found", "remedy"} == set(document[0])
