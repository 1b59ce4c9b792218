"""Other people's text on our terminal: shown as it reads, never obeyed."""

from __future__ import annotations

import unicodedata
from typing import Any

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co"})


def plain(value: Any) -> str:
    """`value` as text that cannot steer a terminal: no escape codes, no invisible characters."""
    text = value if isinstance(value, str) else str(value)
    kept = (
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character) not in _HIDDEN_CATEGORIES
    )
    return "".join(kept)


def one_line(value: Any) -> str:
    """As `plain`, on a single line."""
    return " ".join(plain(value).split())


def in_words(key: str) -> str:
    """A camelCase or snake_case key as people write it: `quickWins` is "Quick wins"."""
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in key.replace("_", " "))
    words = " ".join(spaced.split())
    return words[:1].upper() + words[1:]
