"""Whatever comes and goes, no more handlers run than there are places, and nobody is forgotten."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from careerlens.worker.places import Places

steps = st.lists(
    st.one_of(
        st.just(("enter", 0.0)),
        st.tuples(st.just("leave"), st.sampled_from([0.0, 0.001, 1.0])),
        st.tuples(st.just("answered"), st.sampled_from([0.0, 0.01, 2.0])),
    ),
    max_size=60,
)


@given(st.integers(1, 4), steps)
def test_no_more_run_than_there_are_places(
    concurrency: int, steps: list[tuple[str, float]]
) -> None:
    asyncio.run(play(concurrency, steps))


async def play(concurrency: int, steps: list[tuple[str, float]]) -> None:
    places = Places(concurrency, takes_ahead=True)
    entered, started, given_back = 0, 0, 0
    running = 0

    def start(may_run: bool) -> None:
        nonlocal started, given_back, running
        if may_run:
            started, running = started + 1, running + 1
        else:
            given_back += 1

    for step, seconds in steps:
        if step == "enter":
            entered += 1
            places.enter(start)
        elif step == "answered":
            places.answered(seconds)
        elif running:
            running -= 1
            places.leave(seconds)
        assert running <= concurrency
        # A place stands empty only when nobody wants it.
        assert running == min(concurrency, running + entered - started)
    places.close()
    assert started + given_back == entered


@given(st.integers(1, 4), st.booleans())
def test_slots_beyond_the_places_are_let_in_only_while_jobs_are_short(
    concurrency: int, jobs_are_short: bool
) -> None:
    asyncio.run(let_in(concurrency, jobs_are_short))


async def let_in(concurrency: int, jobs_are_short: bool) -> None:
    places = Places(concurrency, takes_ahead=True)
    inside = 0

    async def slot() -> None:
        nonlocal inside
        await places.admit()
        inside += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(places.slots):
            group.create_task(slot())
        await asyncio.sleep(0)
        assert inside == concurrency
        places.enter(lambda may_run: None)
        places.leave(0.001 if jobs_are_short else 0.5)
        places.answered(0.1)
        await asyncio.sleep(0)
        assert inside == (places.slots if jobs_are_short else concurrency)
        places.close()
    assert inside == places.slots
