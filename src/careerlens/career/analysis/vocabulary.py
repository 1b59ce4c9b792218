"""Word lists of the analysis: one file each in `vocabulary/`, `#` starting a remark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


def lines_of(name: str) -> Iterator[str]:
    """The lines of `vocabulary/<name>.txt` that say something."""
    text = (files("careerlens.career.analysis") / "vocabulary" / f"{name}.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


@dataclass(frozen=True, slots=True)
class WeakOpening:
    """An opening that hides what was done, and what could stand in its place."""

    phrase: str
    kind: str
    instead: tuple[str, ...]


@cache
def word_set(name: str) -> frozenset[str]:
    """All the words of `vocabulary/<name>.txt`."""
    return frozenset(word for line in lines_of(name) for word in line.split())


@cache
def strong_verbs() -> frozenset[str]:
    """Strong verbs in every form a statement may open with, lower case, both spellings."""
    bases: set[str] = set()
    for line in lines_of("strong_verbs"):
        bases.update(re.sub(r"^\[\w+\]", "", line).split())
    bases |= {_american(base) for base in bases}
    return frozenset(form for base in bases for form in _forms(base))


@cache
def weak_openings() -> tuple[WeakOpening, ...]:
    """Weak and vague openings, longest first, so that the fullest one is named."""
    found = []
    for line in lines_of("weak_openings"):
        phrase, kind, instead = (part.strip() for part in line.split("|"))
        choices = tuple(part.strip() for part in instead.split(",")) if kind == "weak" else ()
        found.append(WeakOpening(phrase, kind, choices or (instead,)))
    return tuple(sorted(found, key=lambda opening: -len(opening.phrase)))


@cache
def buzzwords() -> tuple[str, ...]:
    """Claims that prove nothing, longest first."""
    return tuple(sorted(lines_of("buzzwords"), key=len, reverse=True))


@cache
def misspellings() -> dict[str, str]:
    """Frequent misspellings and the right word."""
    return dict(pair for line in lines_of("misspellings") if len(pair := line.split()) == 2)


@cache
def spelling_pairs() -> tuple[tuple[str, str], ...]:
    """Stems as British and as American English write them."""
    return tuple((line.split()[0], line.split()[1]) for line in lines_of("spellings"))


def _american(base: str) -> str:
    return re.sub(r"is(e[ds]?|ing)$", r"iz\1", base) if base.endswith(("ise", "yse")) else base


def _forms(base: str) -> Iterator[str]:
    """base, bases, based, basing: all regular ways, some of them no words; that does no harm."""
    yield base
    yield f"{base}s"
    yield f"{base}es"
    if base.endswith("e"):
        yield f"{base}d"
        yield f"{base[:-1]}ing"
        return
    yield f"{base}ed"
    yield f"{base}ing"
    if base.endswith("y"):
        yield f"{base[:-1]}ied"
        yield f"{base[:-1]}ies"
    if re.search(r"[^aeiou][aeiou][bdglmnprt]$", base):
        yield f"{base}{base[-1]}ed"
        yield f"{base}{base[-1]}ing"
