"""Any JSON value as an indented outline, and the small readers that reports are laid out with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from careerlens.cli.text import in_words, one_line, plain

Json = Any
_EMPTY: tuple[Json, ...] = (None, "", [], {})
_NAMES = ("title", "name", "keyword", "skill", "term", "section", "area", "verb", "action", "issue")


def outline(value: Json, depth: int = 0) -> RenderableType:
    """`value` as an outline; parts that say nothing are left out."""
    if isinstance(value, Mapping):
        table = columns("dim", "")
        for key, part in value.items():
            if not is_empty(part):
                table.add_row(Text(in_words(plain(key))), outline(part, depth + 1))
        return table
    if isinstance(value, list):
        if depth and not any(isinstance(part, Mapping | list) for part in value):
            return Text(", ".join(phrase(part) for part in value))
        bullets = columns("dim", "")
        for part in value:
            bullets.add_row("•", outline(part, depth + 1))
        return bullets
    return Text(plain(scalar(value)))


def phrase(value: Json) -> str:
    """`value` on one line."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{in_words(plain(key)).lower()} {phrase(part)}"
            for key, part in value.items()
            if not is_empty(part)
        )
    if isinstance(value, list):
        return ", ".join(phrase(part) for part in value)
    return one_line(scalar(value))


def scalar(value: Json) -> str:
    """A single value as people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def title_of(entry: Json) -> str:
    """What an entry of a list is called."""
    if not isinstance(entry, Mapping):
        return phrase(entry)
    named = first(entry, _NAMES)
    return phrase(named if named is not None else next(iter(entry.values()), ""))


def first(mapping: Mapping[str, Json], names: Iterable[str]) -> Json | None:
    """The first of these that is there."""
    return next((mapping[name] for name in names if mapping.get(name) is not None), None)


def is_empty(value: Json) -> bool:
    """Whether the value says nothing; False and 0 say something."""
    return any(value is nothing or (value == nothing and type(value) is type(nothing))
               for nothing in _EMPTY)  # fmt: skip


def are_mappings(value: Json) -> TypeGuard[list[Mapping[str, Json]]]:
    """Whether `value` is a list with entries that are all objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(e, Mapping) for e in value)


def number(value: Json) -> float | None:
    """`value` if it is a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def columns(*styles: str) -> Table:
    """A table without lines; all columns but the last keep to one line."""
    table = Table.grid(padding=(0, 2))
    for index, style in enumerate(styles):
        table.add_column(style=style, no_wrap=index < len(styles) - 1)
    return table


def gauge(share: float, width: int, style: str) -> Text:
    """A bar filled to `share` (0 to 1), readable without colours too."""
    filled = round(width * min(max(share, 0.0), 1.0))
    return Text.assemble(("█" * filled, style), ("░" * (width - filled), "bright_black"))
