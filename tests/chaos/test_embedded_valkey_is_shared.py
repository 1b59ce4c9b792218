"""The folder's own Valkey: one for all its processes, revived when killed, stopped by the last."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from careerlens.foundation.embedded import STATE_FILE, RedisEndpoint, redis_for
from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.ports import LOOPBACK
from careerlens.foundation.redis import connect, ping
from careerlens.foundation.settings import Settings, load_settings
from careerlens.foundation.valkey import ValkeyServer
from careerlens.queue import NewJob, Queue
from careerlens.wire import Link
from careerlens.worker import ActiveJob, Worker
from support import eventually

USER = """
import asyncio, json, os, sys
from careerlens.foundation.embedded import redis_for
from careerlens.foundation.settings import load_settings

async def main():
    async with redis_for(load_settings()) as endpoint:
        print(json.dumps({"url": endpoint.url, "pid": os.getpid()}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of an empty folder where no Redis is configured; no server of it stays."""
    for variable in ("REDIS_URL", "REDIS_HOST", "CAREERLENS_ENV"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(home=tmp_path / "home of ours")
    yield settings
    server = ValkeyServer(settings.home / "valkey", settings.home / STATE_FILE)
    if (settings.home / STATE_FILE).exists() and server.is_alive():
        os.kill(state_of(settings)["pid"], signal.SIGKILL)


@dataclass
class OtherProcess:
    """Another process of the same folder that uses its server until told to leave."""

    process: asyncio.subprocess.Process
    url: str

    async def leave(self) -> None:
        """Let it leave properly."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert await self.process.wait() == 0


@asynccontextmanager
async def other_process(settings: Settings) -> AsyncIterator[OtherProcess]:
    """Start one and wait until it has its server; it is gone in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        USER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "CAREERLENS_HOME": str(settings.home)},
    )
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        yield OtherProcess(process=process, url=said["url"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def state_of(settings: Settings) -> dict[str, Any]:
    """What the folder's state file says; empty without one."""
    try:
        state: dict[str, Any] = json.loads((settings.home / STATE_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return state


async def is_up(endpoint: RedisEndpoint) -> bool:
    """Whether a server answers there."""
    client = connect(endpoint.url)
    try:
        await ping(client)
    except ServiceUnavailableError:
        return False
    finally:
        await client.aclose()
    return True


async def test_two_processes_share_one_server_and_the_last_one_stops_it(
    settings: Settings,
) -> None:
    """Who started it may leave first."""
    async with other_process(settings) as other:
        async with redis_for(settings) as endpoint:
            assert endpoint.embedded
            assert endpoint.url == other.url
            await other.leave()
            assert await is_up(endpoint)
        assert not await is_up(endpoint)
        assert state_of(settings) == {}


async def test_processes_that_start_at_once_agree_on_one_server(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        entering = [stack.enter_async_context(other_process(settings)) for _ in range(3)]
        others = await asyncio.gather(*entering)
        endpoint = await stack.enter_async_context(redis_for(settings))
        assert {other.url for other in others} == {endpoint.url}
        client = connect(endpoint.url)
        info = await client.info("server")
        await client.aclose()
        assert info["process_id"] == state_of(settings)["pid"]


async def test_a_killed_server_comes_back_on_its_port_with_its_data(settings: Settings) -> None:
    async with redis_for(settings) as endpoint:
        client = connect(endpoint.url)
        await client.rpush("waiting", *(str(number) for number in range(1_000)))
        await eventually(lambda: flushed(settings))
        killed = state_of(settings)["pid"]
        os.kill(killed, signal.SIGKILL)

        async def answers_again() -> bool:
            try:
                return await client.llen("waiting") == 1_000
            except (RedisError, OSError):
                return False

        await eventually(answers_again)
        assert state_of(settings)["pid"] != killed
        assert state_of(settings)["url"] == endpoint.url
        await client.aclose()


async def test_a_thousand_waiting_jobs_all_finish_after_the_server_is_killed(
    settings: Settings,
) -> None:
    async with redis_for(settings) as endpoint, Link(endpoint.url, name="test") as link:
        queue = Queue("naps", link)
        await queue.open()
        await queue.add_bulk([NewJob(name="naps", data={"n": n}) for n in range(1_000)])
        client = connect(endpoint.url)
        # The append-only file is written each second; `WAITAOF` returns once it is on disk.
        assert await client.waitaof(1, 0, 5_000) == [1, 0]
        await client.aclose()
        os.kill(state_of(settings)["pid"], signal.SIGKILL)
        finished: set[int] = set()

        async def note(job: ActiveJob) -> None:
            finished.add(job.record.data["n"])

        worker = Worker("naps", note, redis_url=endpoint.url)
        running = asyncio.create_task(worker.run())
        await eventually(lambda: len(finished) == 1_000, within=60)
        await worker.stop(grace_s=10)
        await running
        assert (await queue.counts())["completed"] == 1_000


def flushed(settings: Settings) -> bool:
    """Whether the thousand entries are in the append-only file."""
    files = (settings.home / "valkey" / "appendonlydir").glob("*.incr.aof")
    return any(b"\r\n999\r\n" in file.read_bytes() for file in files)


async def test_data_outlives_the_last_process(settings: Settings) -> None:
    for expected in (1, 2, 3):
        async with redis_for(settings) as endpoint:
            client = connect(endpoint.url)
            assert await client.incr("visits") == expected
            await client.aclose()


async def test_a_killed_user_keeps_nobody_from_stopping_the_server(settings: Settings) -> None:
    async with other_process(settings) as other:
        async with redis_for(settings) as endpoint:
            other.process.kill()
            await other.process.wait()
            assert await is_up(endpoint)
        assert not await is_up(endpoint)


async def test_a_server_whose_users_were_all_killed_is_taken_over(settings: Settings) -> None:
    async with other_process(settings) as other:
        other.process.kill()
        await other.process.wait()
        orphan = state_of(settings)["pid"]
        async with redis_for(settings) as endpoint:
            assert endpoint.url == other.url
            assert state_of(settings)["pid"] == orphan
        assert not await is_up(endpoint)


async def test_a_server_listens_on_loopback_alone_and_never_evicts(settings: Settings) -> None:
    async with redis_for(settings) as endpoint:
        client = connect(endpoint.url)
        wanted = {
            "bind": LOOPBACK,
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
            "appendfsync": "everysec",
        }
        found = {name: (await client.config_get(name))[name] for name in wanted}
        await client.aclose()
        assert found == wanted


async def test_another_port_is_taken_when_6379_is_not_free(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            occupant.bind((LOOPBACK, 6379))
            occupant.listen()
        except OSError:
            pass  # somebody else has it, which is the same to us
        async with redis_for(settings) as endpoint:
            assert endpoint.port not in {None, 6379}
            assert await is_up(endpoint)
            assert f"listens on {endpoint.port}" in caplog.text


async def test_folders_that_start_at_the_same_moment_each_get_their_own_server(
    settings: Settings, tmp_path: Path
) -> None:
    homes = [tmp_path / f"home {number}" for number in range(6)]
    async with AsyncExitStack() as stack:
        endpoints = await asyncio.gather(
            *(stack.enter_async_context(redis_for(load_settings(home=home))) for home in homes)
        )
        assert len({endpoint.url for endpoint in endpoints}) == len(homes)
        for home, endpoint in zip(homes, endpoints, strict=True):
            async with connect(endpoint.url) as client:
                folder = (await client.config_get("dir"))["dir"]
            assert Path(str(folder)).is_relative_to(home)


async def test_a_configured_redis_is_left_alone(
    settings: Settings, redis_url: str, tmp_path: Path
) -> None:
    configured = load_settings(home=tmp_path / "untouched", redis_url=redis_url)
    async with redis_for(configured) as endpoint:
        assert endpoint == RedisEndpoint(url=redis_url, embedded=False)
    assert not (tmp_path / "untouched").exists()


async def test_a_home_that_is_a_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("I am a file")
    with pytest.raises(ConfigurationError, match="exists and is not a folder") as failure:
        async with redis_for(load_settings(home=file)):
            pytest.fail("entered")
    assert failure.value.setting == "CAREERLENS_HOME"


async def test_a_home_with_too_long_a_path_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be made") as failure:
        async with redis_for(load_settings(home=tmp_path / ("x" * 300))):
            pytest.fail("entered")
    assert "Set CAREERLENS_HOME" in failure.value.remedy


async def test_a_server_that_cannot_start_says_why(settings: Settings) -> None:
    """Here: its append-only file is damaged in the middle."""
    folder = settings.home / "valkey" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("file nonsense.aof seq 1 type i\n")
    (folder / "nonsense.aof").write_text("this is no append-only file")
    with pytest.raises(ServiceUnavailableError, match=r"Bad file format|valkey\.log"):
        async with redis_for(settings):
            pytest.fail("entered")
