"""Our cron patterns and those of npm `cron-parser`, which BullMQ uses, name the same moments."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careerlens.queue.cron import parse_cron
from careerlens.queue.wallclock import zone_offset
from node_peer import NodePeer

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC+5:30",
]
# A few hours around changes of the clock in these zones, and any other time.
_changes = st.sampled_from([1774746000, 1792890000, 1772953200, 1793512800, 1775318400, 1538276400])
_moments = st.one_of(
    st.integers(1_700_000_000_000, 2_000_000_000_000),
    st.builds(
        lambda change, minutes: (change + 60 * minutes) * 1000, _changes, st.integers(-180, 180)
    ),
)


def _field(low: int, high: int, *more: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    spread = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
    ranges = spread.map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.integers(1, max(2, (high - low) // 2))
    one = st.one_of(
        number.map(str),
        ranges,
        st.builds("{}/{}".format, st.one_of(st.just("*"), number.map(str), ranges), step),
        st.sampled_from(["H", f"H/{high // 3}", f"H({low}-{high // 2})", *more]),
    )
    lists = st.lists(one, min_size=1, max_size=3).map(",".join)
    return st.one_of(st.sampled_from(["*", "*", "?"]), one, lists)


_five = st.tuples(
    _field(0, 59),
    _field(0, 23),
    _field(1, 31, "L"),
    _field(1, 12, "JAN-MAR", "dec"),
    _field(0, 7, "MON-FRI", "sun", "5L", "1#2", "7"),
)
_patterns = st.one_of(
    _five.map(" ".join),
    st.tuples(_field(0, 59), _five.map(" ".join)).map(" ".join),
    st.sampled_from(["@daily", "@yearly", "@weekdays", "@secondly", "5", "0 12"]),
)


def ours(pattern: str, after_ms: int, zone: str, seed: str) -> int | None:
    try:
        return parse_cron(pattern, seed=seed).next_ms(after_ms, zone_offset(zone))
    except ValueError:
        return None


async def test_each_pattern_is_due_when_node_says(node: NodePeer) -> None:
    """Patterns that one side refuses, or finds no moment for, are refused by the other as well."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(
        st.lists(
            st.tuples(_patterns, _moments, st.sampled_from(ZONES), st.sampled_from("abc")),
            min_size=10,
            max_size=40,
        )
    )
    def agree(cases: list[tuple[str, int, str, str]]) -> None:
        theirs = asyncio.run_coroutine_threadsafe(node.do("cron", cases), loop).result(20)
        for case, moment in zip(cases, theirs, strict=True):
            assert (case, ours(*case)) == (case, moment)

    await asyncio.to_thread(agree)
