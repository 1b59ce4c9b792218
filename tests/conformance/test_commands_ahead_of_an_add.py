"""Commands that travel ahead of an add, and calls that leave together with those of others."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from careerlens.foundation.errors import OutcomeUnknownError, ServiceUnavailableError
from careerlens.queue import JobOptions, Queue
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link
from conftest import ValkeyFactory

OPTIONS = JobOptions(job_id="one:of:ours", priority=1)


async def test_commands_and_job_are_both_there(link: Link, redis: Redis) -> None:
    queue = Queue("ahead", link)
    for _ in range(2):  # the second time, the server has lost its scripts
        added = await queue.add("ahead", {}, OPTIONS, ahead=[("INCR", "before")])
        assert added == OPTIONS.job_id
        await redis.script_flush()
    assert await redis.get("before") == "2"
    assert (await queue.counts())["prioritized"] == 1


async def test_a_refused_command_is_no_success_although_the_job_is_in_line(
    link: Link, redis: Redis
) -> None:
    await redis.set("text", "no number")
    queue = Queue("ahead", link)
    with pytest.raises(OutcomeUnknownError):
        await queue.add("ahead", {}, OPTIONS, ahead=[("INCR", "text")])
    assert (await queue.counts())["prioritized"] == 1


@pytest.mark.parametrize("size", [1, 10_000])
async def test_of_calls_that_leave_together_each_gets_its_own_reply(
    redis_url: str, size: int
) -> None:
    async with open_link(redis_url) as link:
        asked = [link.call("ECHO", str(number) * size) for number in range(200)]
        asked.insert(50, link.call("NO-SUCH-COMMAND"))
        replies = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(replies.pop(50), Exception)
        assert replies == [(str(number) * size).encode() for number in range(200)]


async def test_what_was_gathered_when_the_server_died_is_told_to_be_lost(
    valkey_factory: ValkeyFactory,
) -> None:
    server = valkey_factory()
    async with open_link(server.url, timeout_s=0.5) as link:
        server.kill()
        replies = await asyncio.gather(
            *(link.call("PING") for _ in range(5)), return_exceptions=True
        )
        assert all(isinstance(reply, ServiceUnavailableError) for reply in replies), replies
