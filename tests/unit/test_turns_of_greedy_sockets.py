"""However many sockets have sent too much at once, everybody else waits for one of them only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from careerlens.realtime.websocket import Turns


async def test_one_goes_on_in_each_turn_of_the_loop_and_each_as_often_as_the_others() -> None:
    turns = Turns()
    order: list[str] = []

    def go_on(name: str, times: int) -> None:
        order.append(name)
        if times > 1:
            turns.wait(partial(go_on, name, times - 1))

    for name in "abc":
        turns.wait(partial(go_on, name, 3))

    seen = []
    while len(order) < 9:
        await asyncio.sleep(0)
        seen.append(len(order))

    assert "".join(order) == "abcabcabc"
    assert all(later - earlier <= 1 for earlier, later in pairwise(seen))


async def test_one_that_fails_holds_up_nobody() -> None:
    turns = Turns()
    order: list[str] = []
    failures: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(context["exception"])
    )

    def fail() -> None:
        raise ConnectionError("gone")

    steps: list[Callable[[], None]] = [partial(order.append, "a"), fail, partial(order.append, "b")]
    for step in steps:
        turns.wait(step)
    for _ in steps:
        await asyncio.sleep(0)

    assert order == ["a", "b"]
    assert [str(failure) for failure in failures] == ["gone"]
