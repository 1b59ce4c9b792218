"""A queue behind sentinels goes on after a failover, and so does the rest of the product."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.redis import connect, ping
from careerlens.wire import Link
from queue_life import outlive
from support import Valkey, eventually, free_port, insist
from topologies import Watched, admin_of, watched_primary


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with watched_primary(tmp_path) as watched:
        yield watched


async def leads_to(link: Link, server: Valkey) -> bool:
    _, port = await insist(lambda: link.call("CONFIG", "GET", "port"))
    return int(port) == server.port


async def test_sentinels_that_are_away_are_passed_over(watched: Watched) -> None:
    dead = f"127.0.0.1:{free_port()}"
    url = f"redis+sentinel://{dead},127.0.0.1:{watched.sentinel.port},{dead}/mymaster"
    async with Link(url) as link:
        assert await leads_to(link, watched.primary)


async def test_an_unknown_name_is_told_with_the_setting(watched: Watched) -> None:
    link = Link(f"redis+sentinel://127.0.0.1:{watched.sentinel.port}/other", timeout_s=0.3)
    with pytest.raises(ServiceUnavailableError, match=r"no primary called 'other'.*REDIS_URL"):
        await link.connect()
    await link.close()


async def test_a_link_leaves_a_primary_that_was_replaced_in_order(watched: Watched) -> None:
    """The former primary goes on answering for eight seconds and more: nothing cuts the link."""
    async with Link(watched.url) as link:
        assert await leads_to(link, watched.primary)
        watched.fail_over()
        await eventually(lambda: watched.sentinel.primary_port() == watched.replica.port, within=30)
        await eventually(lambda: leads_to(link, watched.replica), within=5)
        assert await insist(lambda: link.call("SET", "a", "b")) == b"OK"


async def test_a_server_that_a_sentinel_calls_primary_must_say_so_itself(watched: Watched) -> None:
    with admin_of(watched.primary) as admin:
        admin.replicaof("127.0.0.1", free_port())
    link = Link(watched.url, timeout_s=0.3)
    with pytest.raises(ServiceUnavailableError, match="is a replica"):
        await link.call("GET", "a")
    await link.close()


@pytest.mark.parametrize("how", ["in order", "by a crash"])
async def test_replicated_jobs_survive_a_failover(watched: Watched, how: str) -> None:
    async def fail_over(link: Link) -> None:
        if how == "in order":
            watched.fail_over()
        else:
            watched.primary.kill()
        await eventually(lambda: leads_to(link, watched.replica), within=30)

    await outlive(watched.url, fail_over)


async def test_clients_of_the_product_follow_the_primary(watched: Watched) -> None:
    async with connect(watched.url) as client:
        await ping(client)
        watched.primary.kill()

        async def writes() -> bool:
            try:
                return bool(await client.set("a", "b"))
            except (RedisError, OSError):
                return False

        await eventually(writes, within=30)
        assert (await client.config_get("port"))["port"] == str(watched.replica.port)
