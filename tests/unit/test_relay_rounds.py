"""The relay works in short rounds, and in longer ones while thousands of events a second come."""

from __future__ import annotations

import pytest

from careerlens.realtime.relay import BUSY_ROUND_S, ROUND_S, round_s
from careerlens.wire.events import BATCH


@pytest.mark.parametrize(
    ("events", "since_s", "takes_s"),
    [
        (1, 60.0, ROUND_S),  # the first after a rest
        (5, 0.01, ROUND_S),  # five hundred a second
        (30, 0.01, ROUND_S),
        (60, 0.01, BUSY_ROUND_S),  # six thousand a second
        (240, 0.04, BUSY_ROUND_S),
        (100, 0.04, ROUND_S),  # it has calmed down
        (BATCH, 0.01, ROUND_S),  # more is waiting
    ],
)
def test_a_round_is_as_long_as_the_pace_allows(events: int, since_s: float, takes_s: float) -> None:
    assert round_s(events, since_s) == takes_s
