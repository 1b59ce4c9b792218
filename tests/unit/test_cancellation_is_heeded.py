"""A task that is cancelled while its task group fails ends, and does not go on with its work."""

from __future__ import annotations

import asyncio

from careerlens.foundation.cancellation import heed_cancellation


async def test_cancellation_in_the_moment_of_a_failure_is_not_forgotten() -> None:
    went_on = False
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ValueError("for a reason of its own")

    async def take_a_moment_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)

    async def work() -> None:
        nonlocal went_on
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(take_a_moment_to_end())
                group.create_task(fail())
        except* ValueError:
            pass
        heed_cancellation()
        went_on = True

    task = asyncio.create_task(work())
    await failed.wait()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not went_on


async def test_nothing_is_raised_when_nobody_cancelled() -> None:
    heed_cancellation()
