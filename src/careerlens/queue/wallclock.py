"""The clock on the wall of a time zone: how it goes on, skips hours and repeats them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

UtcOffset = Callable[[int], int]
"""Seconds east of Greenwich at an epoch second."""


def zone_offset(name: str | None) -> UtcOffset:
    """The offsets of a time zone: an IANA name, `UTC`, `UTC+5:30`; None is this process's own.

    Raises `ValueError` for a name that is unknown here.
    """
    if name is None or name.lower() in ("local", "system"):
        return lambda at: time.localtime(at).tm_gmtoff
    fixed = re.fullmatch(r"(?:utc|gmt)|utc([+-]\d{1,2})(?::(\d{2}))?", name.lower())
    if fixed is not None:
        hours, minutes = int(fixed[1] or 0), int(fixed[2] or 0)
        offset = hours * 3_600 + (-60 if (fixed[1] or "").startswith("-") else 60) * minutes
        return lambda _: offset
    try:
        zone = ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"unknown time zone: {name!r}") from None

    def offset_at(at: int) -> int:
        shown = datetime.fromtimestamp(at, zone).utcoffset()
        return int(shown.total_seconds()) if shown is not None else 0

    return offset_at


class WallClock:
    """A moment that moves forward, and how the clock on the wall shows it.

    A wall time that exists twice is the one nearer to the offset from before; one that does not
    exist is as much later as the clock was put forward (so does luxon, which cron-parser uses).
    """

    def __init__(self, at: int, utc_offset: UtcOffset, *, marks_changes: bool) -> None:
        self._utc_offset = utc_offset
        self._marks_changes = marks_changes
        self.skipped_from: int | None = None
        self.repeated_hour: int | None = None
        self._landed_on = 0
        self._to(at)

    def _to(self, at: int) -> None:
        self.at = at
        self.offset = self._utc_offset(at)
        self.local = datetime.fromtimestamp(at + self.offset, UTC).replace(tzinfo=None)

    def advance(self, seconds: int, to_start_of: str) -> None:
        """Go on by real time to the start of the second, minute or hour reached.

        Notes which hours the clock on the wall skipped, or showed again, in doing so.
        """
        hour, offset = self.local.hour, self.offset
        self._to(self.at + seconds)
        if to_start_of == "minute":
            self.set(second=0)
        elif to_start_of == "hour":
            self.set(minute=0, second=0)
        moved = (self.local.hour - hour) % 24
        if not self._marks_changes:
            return
        if self.offset > offset and moved >= 2:
            self.skipped_from, self._landed_on = (hour + 1) % 24, self.local.hour
        elif moved == 0 and self.local.minute == self.local.second == 0:
            self.repeated_hour = self.local.hour

    def hours_skipped_before(self, hour: int) -> Iterator[int]:
        """The hours that the clock skipped on its way to `hour`, where it stands."""
        if self.skipped_from is not None and self._landed_on == hour:
            skipped = self.skipped_from
            while skipped != hour:
                yield skipped
                skipped = (skipped + 1) % 24

    def to_next_month(self) -> None:
        first = self.local.replace(day=1, hour=0, minute=0, second=0)
        self._to(self._real(first + timedelta(days=days_of_month(first)), self.offset))

    def to_next_day(self) -> None:
        midnight = self.local.replace(hour=0, minute=0, second=0)
        self._to(self._real(midnight + timedelta(days=1), self.offset))

    def set(self, **parts: int) -> None:
        """Put the clock on the wall to another hour, minute or second."""
        self._to(self._real(self.local.replace(**parts), self.offset))  # type: ignore[arg-type]

    def is_on_day_of_change(self) -> bool:
        """Whether the offset is another one at the end of this day than at its start."""
        midnight = self.local.replace(hour=0, minute=0, second=0)
        start = self._real(midnight, self.offset)
        end = self._real(midnight + timedelta(days=1), self._utc_offset(start)) - 1
        return self._utc_offset(start) != self._utc_offset(end)

    def _real(self, local: datetime, offset: int) -> int:
        shown = int(local.replace(tzinfo=UTC).timestamp())
        first = self._utc_offset(shown - offset)
        if first == offset:
            return shown - offset
        second = self._utc_offset(shown - first)
        return shown - (first if first == second else min(first, second))


def days_of_month(local: datetime) -> int:
    """How many days the month of `local` has."""
    following = local.replace(day=28) + timedelta(days=4)
    return (following - timedelta(days=following.day)).day
