"""A task that is cancelled while it talks to Redis ends, and leaves nobody the wrong reply."""

from __future__ import annotations

import asyncio
import random

from careerlens.foundation.redis import connect


async def test_cancellation_is_heard_at_every_moment_of_a_command(redis_url: str) -> None:
    """The client library's own sending forgot a good part of these."""
    client = connect(redis_url)
    chance = random.Random(1)

    async def talk() -> None:
        while True:
            await client.ping()

    for _ in range(200):
        task = asyncio.create_task(talk())
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done, "it talks on"
    await client.aclose()


async def test_reply_to_a_cancelled_command_reaches_nobody_else(redis_url: str) -> None:
    client = connect(redis_url)
    chance = random.Random(2)

    async def talk() -> None:
        await client.echo("theirs")

    for number in range(200):
        await client.set("mine", number)
        theirs = asyncio.create_task(talk())
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0)
        theirs.cancel()
        await asyncio.wait([theirs])
        assert await client.get("mine") == str(number)
    await client.aclose()
