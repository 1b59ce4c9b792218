"""Cron patterns, read and answered exactly as npm `cron-parser` 5 does for BullMQ on Node.

The moments must agree to the millisecond, since they are part of the iterations' job ids and
either side may compute the next one. Python's libraries differ from it in days, names or the
hours around a change of the clock, so the rules are written out here:

    [second] minute hour day-of-month month day-of-week

- `*` and `?` are any value; `1,2`, `1-5`, `*/5`, `1-5/2`, `5/2` (from 5 on), JAN-DEC, SUN-SAT;
  `L` is the month's last day, `5L` its last Friday, `1#2` its second Monday.
- `H`, `H(1-5)`, `H/5` and `H(1-9)/3` are picked by chance, or by a seed.
- Where both kinds of days are restricted, one of them is enough.
- An hour that the clock skips counts as the one it lands on, and one that it repeats counts
  once, unless the pattern names every hour.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

from careerlens.queue.wallclock import UtcOffset, WallClock, days_of_month

_SHORTCUTS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
    "@minutely": "0 * * * * *",
    "@secondly": "* * * * * *",
    "@weekdays": "0 0 0 * * 1-5",
    "@weekends": "0 0 0 * * 0,6",
}
_ANY = ("*", "?")
_FIELDS = ("0", "*", "*", "*", "*", "*")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_ATOM = re.compile(r"(?:(?P<any>[*?])|(?P<first>\d+)(?:-(?P<last>\d+))?)(?:/(?P<step>\d+))?")
_HASHED = re.compile(r"H(?:\((?P<first>\d+)-(?P<last>\d+)\))?(?:/(?P<step>\d+))?")
_NTH = re.compile(r"[^,\-/#]+#[1-5]")
_LAST = re.compile(r"\d{0,2}L")
_LONGEST_PATTERN = 1_024
_MOST_VALUES = 256
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# After so many steps cron-parser gives a pattern up.
_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Cron:
    """A pattern, ready to tell its moments; made by `parse_cron`."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    on_last_day: bool
    last_weekdays: tuple[int, ...]
    nth_weekday: int
    any_day: bool
    any_weekday: bool

    def next_ms(self, after_ms: int, utc_offset: UtcOffset) -> int | None:
        """The first moment after `after_ms` (epoch ms); None when there is none in sight."""
        clock = WallClock(after_ms // 1000, utc_offset, marks_changes=len(self.hours) != 24)
        if after_ms % 1000:
            clock.advance(1, "second")
        for _ in range(_MOST_STEPS - 1):
            if clock.local.month not in self.months:
                clock.to_next_month()
            elif not self._has_day(clock.local):
                clock.to_next_day()
            elif not self._reaches_hour(clock):
                continue
            elif clock.local.minute not in self.minutes:
                self._to_next_minute(clock)
            elif clock.local.second not in self.seconds:
                self._to_next_second(clock)
            elif clock.at * 1000 == after_ms:
                clock.advance(1, "second")
            else:
                return clock.at * 1000
        return None

    def _has_day(self, local: datetime) -> bool:
        day, weekday = local.day, local.isoweekday() % 7
        days_left = days_of_month(local) - day
        by_day = day in self.days or (self.on_last_day and days_left == 0)
        by_weekday = weekday in self.weekdays and self.nth_weekday in (0, (day + 6) // 7)
        by_weekday = by_weekday or (weekday in self.last_weekdays and days_left < 7)
        if self.any_weekday:
            return by_day
        return by_weekday if self.any_day else by_day or by_weekday

    def _reaches_hour(self, clock: WallClock) -> bool:
        """Whether the clock stands at one of the pattern's hours; else it is moved on."""
        hour = clock.local.hour
        if any(skipped in self.hours for skipped in clock.hours_skipped_before(hour)):
            return True
        if clock.repeated_hour == hour:
            clock.repeated_hour = None
            clock.advance(3_600, "hour")
            return False
        if hour in self.hours:
            return True
        clock.skipped_from = None
        later = _after(self.hours, hour)
        if later is None:
            clock.to_next_day()
            return False
        if clock.is_on_day_of_change():
            for _ in range(later - hour):
                clock.advance(3_600, "hour")
                if clock.local.hour >= later:
                    break
        else:
            clock.set(hour=later)
        clock.set(minute=self.minutes[0])
        clock.set(second=self.seconds[0])
        return False

    def _to_next_minute(self, clock: WallClock) -> None:
        later = _after(self.minutes, clock.local.minute)
        if later is None:
            clock.advance(3_600, "hour")
        clock.set(minute=self.minutes[0] if later is None else later)
        clock.set(second=self.seconds[0])

    def _to_next_second(self, clock: WallClock) -> None:
        later = _after(self.seconds, clock.local.second)
        if later is None:
            clock.advance(60, "minute")
        clock.set(second=self.seconds[0] if later is None else later)


def parse_cron(pattern: str, *, seed: str | None = None) -> Cron:
    """Read a pattern of up to six fields; `seed` decides what `H` stands for.

    Raises `ValueError` that says what does not fit.
    """
    try:
        return _read(_fields_of(pattern), seed)
    except ValueError as error:
        raise ValueError(f"not a cron pattern: {pattern!r}, {error}") from None


def _fields_of(pattern: str) -> list[str]:
    fields = _SHORTCUTS.get(pattern, pattern).split()
    if not 1 <= len(fields) <= len(_FIELDS) or len(pattern) > _LONGEST_PATTERN:
        raise ValueError(f"it should have up to six fields and {_LONGEST_PATTERN} characters")
    return [*_FIELDS[: len(_FIELDS) - len(fields)], *fields]


def _read(fields: list[str], seed: str | None) -> Cron:
    second, minute, hour, day, month, weekday = fields
    weekday, nth = _nth_weekday(weekday)
    # One number for each field, in cron-parser's order.
    chance = _chance(seed) if any("H" in field for field in fields) else repeat(0.0)
    seconds, _ = _values(second, 0, 59, next(chance))
    minutes, _ = _values(minute, 0, 59, next(chance))
    hours, _ = _values(hour, 0, 23, next(chance))
    months, _ = _values(_numbered(month, _MONTHS, 1), 1, 12, next(chance))
    days, last_days = _values(day, 1, 31, next(chance), may_be_last=True)
    numbered = _numbered(weekday, _WEEKDAYS, 0)
    weekdays, last_weekdays = _values(numbered, 0, 7, next(chance), may_be_last=True)
    if "L" in last_weekdays:
        raise ValueError("L needs a day of the week before it")
    longest = max(_LONGEST_MONTHS[one - 1] for one in months)
    if weekday in _ANY and not last_days and min(days) > longest:
        raise ValueError("its day never comes")
    return Cron(
        seconds=seconds,
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=tuple(sorted({one % 7 for one in weekdays})),
        on_last_day=bool(last_days),
        last_weekdays=tuple(int(one[0]) % 7 for one in last_weekdays),
        nth_weekday=nth,
        any_day=day in _ANY,
        any_weekday=weekday in _ANY,
    )


def _values(
    field: str, low: int, high: int, chance: float, *, may_be_last: bool = False
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The numbers of one field, and its parts that end in `L`."""
    values: list[int] = []
    last: list[str] = []
    field = _HASHED.sub(lambda found: _picked(found, low, high, chance), field)
    for atom in field.split(","):
        if may_be_last and _LAST.fullmatch(atom):
            last.append(atom)
            continue
        values.extend(_range(atom, low, high))
        if len(values) > _MOST_VALUES:
            raise ValueError(f"{field!r} has too many values")
    if len(set(values)) != len(values) or len(set(last)) != len(last):
        raise ValueError(f"{field!r} says a value twice")
    return tuple(sorted(values)), tuple(last)


def _range(atom: str, low: int, high: int) -> list[int]:
    found = _ATOM.fullmatch(atom)
    if found is None:
        raise ValueError(f"{atom!r} is no value, range or step")
    first = low if found["any"] else int(found["first"])
    if found["any"]:
        final = high
    elif found["last"]:
        final = int(found["last"])
    else:
        final = high if found["step"] else first
    step = int(found["step"] or 1)
    if not low <= first <= final <= high or step < 1:
        raise ValueError(f"{atom!r} is not within {low}-{high}")
    values = list(range(first, final + 1, step))
    if high != 7:
        return values
    if len(values) == 1 and not found["step"]:
        return [first % 7]
    # Sunday has two numbers, and a list that says it by both says it twice.
    return [0, *(one for one in values if one)] if values[-1] == 7 else values


def _picked(found: re.Match[str], low: int, high: int, chance: float) -> str:
    first = max(int(found["first"] or low), low)
    final = min(int(found["last"] or high), high)
    step = int(found["step"] or 1)
    if first > final or step < 1:
        raise ValueError(f"{found[0]!r} is not within {low}-{high}")
    one = str(int(chance * (final - first + 1)) + first)
    if not found["step"]:
        return one
    start = first // step * step + int(chance * step)
    return ",".join(str(at) for at in range(start, final + 1, step) if at >= first) or one


def _chance(seed: str | None) -> Iterator[float]:
    """cron-parser's pseudo-random numbers from 0 to 1 (FNV-1a, then mulberry32)."""
    if seed:
        state = 2_166_136_261
        for unit in map(ord, seed):
            state = (state ^ unit) * 16_777_619 % 2**32
    else:
        state = random.randrange(2**32)  # noqa: S311 (only spreads the load)
    while True:
        state = (state + 0x6D2B79F5) % 2**32
        mixed = (state ^ state >> 15) * (state | 1) % 2**32
        mixed ^= (mixed + (mixed ^ mixed >> 7) * (mixed | 61)) % 2**32
        yield (mixed ^ mixed >> 14) / 2**32


def _nth_weekday(field: str) -> tuple[str, int]:
    if "#" not in field:
        return field, 0
    if not _NTH.fullmatch(field):
        raise ValueError(f"{field!r}: # takes one day of the week and a number from 1 to 5")
    weekday, _, nth = field.partition("#")
    return weekday, int(nth)


def _numbered(field: str, names: list[str], first: int) -> str:
    """The field with numbers in place of names, of which the first one is `first`."""
    for number, name in enumerate(names, start=first):
        field = re.sub(name, str(number), field, flags=re.IGNORECASE)
    return field


def _after(values: tuple[int, ...], current: int) -> int | None:
    index = bisect_right(values, current)
    return values[index] if index < len(values) else None
