"""Jobs that were taken ahead and find no place are given back in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from careerlens.worker.places import LONGEST_WAIT_S, Places
from support import eventually


def waiting(places: Places, names: str) -> list[str]:
    """Jobs that wait for the one place; the list tells who was given back, in order."""
    given_back: list[str] = []

    def start(name: str, may_run: bool) -> None:
        assert not may_run, "there is no place"
        given_back.append(name)

    places.enter(lambda may_run: None)
    for name in names:
        places.enter(partial(start, name))
    return given_back


async def test_the_last_one_first_so_that_the_first_is_next_again() -> None:
    given_back = waiting(Places(1, takes_ahead=True), "abc")
    await eventually(lambda: given_back == ["c", "b", "a"])


async def test_the_last_one_first_when_the_worker_closes() -> None:
    places = Places(1, takes_ahead=True)
    given_back = waiting(places, "abc")
    places.close()
    assert given_back == ["c", "b", "a"]


async def test_at_once_when_the_worker_has_closed() -> None:
    places = Places(1, takes_ahead=True)
    places.close()
    told: list[bool] = []
    places.enter(told.append)
    places.enter(told.append)
    assert told == [False, False]


async def test_and_no_more_are_taken_ahead_although_the_server_was_once_slow() -> None:
    places = Places(1, takes_ahead=True)
    inside: list[Callable[[], None]] = []

    async def slot() -> None:
        await places.admit()
        inside.append(places.dismiss)

    slots = [asyncio.create_task(slot()) for _ in range(places.slots)]
    places.enter(lambda may_run: None)
    places.leave(LONGEST_WAIT_S * 4)
    for _ in range(10):
        places.answered(5.0)
    await eventually(lambda: len(inside) == 2)
    given_back = waiting(places, "a")
    await eventually(lambda: given_back == ["a"])
    inside.pop()()
    assert places.may_go_on
    late = asyncio.create_task(slot())
    await asyncio.sleep(0)
    assert len(inside) == 1, "the slot that gave its job back takes another one ahead"
    places.close()
    await asyncio.gather(late, *slots)
