"""Deadlines by the thousand: in order, and never all of them in one turn of the loop."""

from __future__ import annotations

import asyncio

from careerlens.realtime.timing import Deadlines
from support import eventually


async def test_very_many_that_are_due_at_once_let_others_have_their_turns() -> None:
    loop = asyncio.get_running_loop()
    rung: list[int] = []
    rung_by_turn: list[int] = []
    deadlines = Deadlines[int](0.01, rung.append)
    for number in range(1_000):
        deadlines.add(number)

    def take_turn() -> None:
        rung_by_turn.append(len(rung))
        if len(rung) < 1_000:
            loop.call_soon(take_turn)

    take_turn()
    await eventually(lambda: len(rung) == 1_000)
    assert rung == list(range(1_000))
    between = [count for count in rung_by_turn if 0 < count < 1_000]
    assert len(set(between)) >= 10
