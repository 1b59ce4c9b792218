"""The estimated wait of a place in line errs by little where that can be known."""

from __future__ import annotations

import heapq

from hypothesis import given
from hypothesis import strategies as st

from careerlens.jobs.pace import Pace, Presence, usual
from careerlens.queue import PlaceInLine

RUN_MS = st.integers(1, 600_000)
SLOTS = st.integers(1, 64)
POSITION = st.integers(1, 5_000)
RUNNING = st.integers(0, 128)
INTERVAL = st.floats(0, 60_000)

paces = st.builds(
    lambda run_ms, slots, interval: Pace(run_ms=run_ms, slots=slots, start_interval_ms=interval),
    RUN_MS,
    SLOTS,
    INTERVAL,
)


def wait(pace: Pace, position: int, running: int) -> int:
    found = pace.wait_ms(PlaceInLine(position, running))
    assert found is not None
    return found


@given(RUN_MS, st.lists(st.floats(0, 1), min_size=1, max_size=16), st.integers(1, 200))
def test_of_runs_that_take_equally_long_no_more_than_one_is_missed_by(
    run_ms: int, left: list[float], position: int
) -> None:
    """Against slots that really end, each a share of a run from now, and take the next in line."""
    ends = [share * run_ms for share in left]
    heapq.heapify(ends)
    for _ in range(position):
        starts = heapq.heappop(ends)
        heapq.heappush(ends, starts + run_ms)
    estimate = wait(Pace(run_ms=run_ms, slots=len(left)), position, len(left))
    assert abs(estimate - starts) <= run_ms + 1


@given(paces, POSITION, RUNNING)
def test_who_is_ahead_is_never_told_to_wait_longer(pace: Pace, position: int, running: int) -> None:
    here = wait(pace, position, running)
    assert 0 <= here <= wait(pace, position + 1, running)
    assert here <= wait(pace, position, running + 1)


@given(RUN_MS, SLOTS, POSITION, RUNNING)
def test_more_slots_and_shorter_runs_never_lengthen_a_wait(
    run_ms: int, slots: int, position: int, running: int
) -> None:
    here = wait(Pace(run_ms=run_ms, slots=slots), position, running)
    assert wait(Pace(run_ms=run_ms, slots=slots + 1), position, running) <= here
    assert wait(Pace(run_ms=run_ms // 2, slots=slots), position, running) <= here


@given(RUN_MS, SLOTS, st.data())
def test_whoever_finds_a_free_slot_waits_for_nothing(
    run_ms: int, slots: int, data: st.DataObject
) -> None:
    running = data.draw(st.integers(0, slots - 1))
    position = data.draw(st.integers(1, slots - running))
    assert wait(Pace(run_ms=run_ms, slots=slots), position, running) == 0


@given(paces, POSITION, RUNNING)
def test_no_line_moves_faster_than_starts_are_allowed(
    pace: Pace, position: int, running: int
) -> None:
    assert wait(pace, position, running) >= int(position * pace.start_interval_ms)


@given(RUN_MS, st.integers(0, 64), POSITION, RUNNING)
def test_nothing_is_promised_that_nothing_tells(
    run_ms: int, slots: int, position: int, running: int
) -> None:
    place = PlaceInLine(position, running)
    assert Pace(run_ms=None, slots=slots).wait_ms(place) is None
    assert Pace(run_ms=run_ms, slots=0).wait_ms(place) is None
    assert Pace(run_ms=run_ms, slots=slots, is_paused=True).wait_ms(place) is None


@given(st.lists(RUN_MS, min_size=1, max_size=50))
def test_three_of_four_runs_take_no_longer_than_the_usual_one(runs: list[int]) -> None:
    found = usual(runs)
    assert found in runs
    assert sum(run <= found for run in runs) * 4 >= len(runs) * 3
    assert sum(run < found for run in runs) * 4 < len(runs) * 3


def test_one_run_gone_astray_changes_nothing() -> None:
    assert usual([100] * 49 + [86_400_000]) == 100


@given(
    st.lists(
        st.builds(
            Presence,
            queue=st.just("q"),
            process=st.text(min_size=1, max_size=20),
            slots=SLOTS,
            start_interval_ms=st.integers(0, 60_000).map(float),
        ),
        max_size=8,
    )
)
def test_workers_are_read_as_they_tell_of_themselves(workers: list[Presence]) -> None:
    members = [str(worker.leaving()[-1]) for worker in workers]
    assert [Presence.read("q", member) for member in members] == workers
    pace = Pace.of([5], workers, is_paused=False)
    assert pace.slots == sum(worker.slots for worker in workers)
