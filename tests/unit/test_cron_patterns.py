"""Cron patterns name the moments that their guide promises; `tests/interop` asks cron-parser."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from careerlens.queue.cron import parse_cron
from careerlens.queue.wallclock import zone_offset

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("pattern", "after", "due"),
    [
        ("*/5 * * * *", "2026-11-23 15:19:22", "2026-11-23 15:20:00"),
        ("30 */5 * * * *", "2026-11-23 15:19:22", "2026-11-23 15:20:30"),
        ("0 9 * * MON-FRI", "2026-11-20 09:00:00", "2026-11-23 09:00:00"),
        ("0 0 L * *", "2028-02-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 * * 5L", "2026-11-01 00:00:00", "2026-11-27 00:00:00"),
        ("0 0 * * 1#2", "2026-11-23 00:00:00", "2026-12-14 00:00:00"),
        ("0 0 13 * 5", "2026-11-07 00:00:00", "2026-11-13 00:00:00"),
        ("@yearly", "2026-11-23 15:19:22", "2027-01-01 00:00:00"),
        # The clock goes from 2 to 3 on one night of spring, and from 3 back to 2 in autumn.
        ("30 2 * * *", "2026-03-28 12:00:00", "2026-03-29 03:30:00"),
        ("30 2 * * *", "2026-10-25 02:30:00", "2026-10-26 02:30:00"),
        ("0 3 * * *", "2026-10-24 12:00:00", "2026-10-25 03:00:00"),
    ],
)
def test_a_pattern_is_due_when_the_guide_says(pattern: str, after: str, due: str) -> None:
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(BERLIN))
    found = parse_cron(pattern).next_ms(int(start.timestamp() * 1000), zone_offset(BERLIN))
    assert found is not None
    assert f"{datetime.fromtimestamp(found / 1000, ZoneInfo(BERLIN)):%F %T}" == due


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("", "six fields"),
        ("* * * * * * *", "six fields"),
        ("60 * * * *", "not within 0-59"),
        ("5-1 * * * *", "not within"),
        ("*/0 * * * *", "not within"),
        ("at tea time", "no value, range or step"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 * * L", "day of the week before it"),
        ("0 0 * * 1#6", "from 1 to 5"),
        ("1,1 * * * *", "twice"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused_with_its_fault(pattern: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_cron(pattern)


def test_a_seed_always_picks_the_same_moment() -> None:
    patterns = [parse_cron("H H * * *", seed=seed) for seed in ("a", "a", "b")]
    assert patterns[0] == patterns[1] != patterns[2]
