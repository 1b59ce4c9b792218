"""A wait ends when its time is over, and is otherwise as if nobody had counted."""

from __future__ import annotations

import asyncio

import pytest

from careerlens.foundation.patience import patience


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError), patience(0.01):
        await forever()
    await asyncio.sleep(0)  # nothing is left to cancel
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_many_are_ended_none_before_its_time() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def wait(seconds: float) -> float:
        with pytest.raises(TimeoutError), patience(seconds):
            await forever()
        return loop.time() - began

    times = [0.3, 0.01, 0.15]
    took = await asyncio.gather(*map(wait, times))
    assert all(actual >= wanted for actual, wanted in zip(took, times, strict=True))


async def test_what_ends_in_time_is_left_alone() -> None:
    with patience(30):
        assert await asyncio.sleep(0, "done") == "done"
    with pytest.raises(KeyError), patience(30):
        raise KeyError
    with patience(0.01):
        pass
    with pytest.raises(TimeoutError), patience(0.02):
        await forever()  # the first one's time has come meanwhile, and concerns nobody


async def test_whoever_else_cancels_is_obeyed() -> None:
    entered = asyncio.Event()

    async def wait() -> None:
        with patience(30):
            entered.set()
            await forever()

    task = asyncio.create_task(wait())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_is_a_cancellation() -> None:
    limit = patience(30)

    async def wait() -> None:
        with limit:
            await forever()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    limit.end()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_inner_and_the_outer_time_are_told_apart() -> None:
    async def both(outer_s: float, inner_s: float) -> None:
        with patience(outer_s), patience(inner_s):
            await forever()

    async def within_a_timeout() -> None:
        async with asyncio.timeout(0.01):
            await both(30, 30)

    with patience(30), pytest.raises(TimeoutError):
        await both(30, 0.01)
    with pytest.raises(TimeoutError):
        await both(0.01, 30)
    with pytest.raises(TimeoutError):
        await within_a_timeout()


def test_every_loop_has_its_own() -> None:
    async def wait() -> None:
        with pytest.raises(TimeoutError), patience(0.01):
            await forever()

    for _ in range(2):
        asyncio.run(wait())
