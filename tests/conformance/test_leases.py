"""A lease is nobody's for longer than it has to be."""

from __future__ import annotations

import asyncio

import pytest
import redis

from careerlens.wire.lease import Lease
from careerlens.wire.link import Link

KEY = "careerlens:test:lease"


async def test_who_is_stopped_while_taking_a_lease_leaves_it_to_others(redis_url: str) -> None:
    """It has it on the server, and has not heard so yet."""
    async with Link(redis_url) as link:
        taking = asyncio.create_task(Lease(link, KEY, duration_s=60).acquire())
        await asyncio.sleep(0)
        # Without letting the loop run, which would hear the reply.
        with redis.Redis.from_url(redis_url) as server:
            while not server.exists(KEY):
                pass
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert await Lease(link, KEY, duration_s=60).acquire()
