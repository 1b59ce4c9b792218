"""The servers that tests start behave as the tests rely on."""

from collections.abc import Callable

import redis

from support import Valkey, eventually


def test_a_durable_server_comes_back_with_its_data(valkey_factory: Callable[..., Valkey]) -> None:
    server = valkey_factory(durable=True, appendfsync="always")
    with redis.Redis(port=server.port) as client:
        client.set("kept", "yes")
    server.restart()
    with redis.Redis(port=server.port) as client:
        assert client.get("kept") == b"yes"


async def test_the_shared_server_is_empty_at_the_start(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        await eventually(lambda: client.dbsize() == 0)
