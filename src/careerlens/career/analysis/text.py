"""The résumé's text, made safe to read and cut into numbered lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from careerlens.career.analysis.findings import Passage

MAX_QUOTE = 200
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st",
     "\u00a0": " ", "\u2007": " ", "\u202f": " ", "\u00ad": None, "\f": "\n", "\v": "\n",
     "\u2028": "\n", "\u2029": "\n", "\u0085": "\n"}
)  # fmt: skip
_BREAKS = re.compile(r"\r\n?|\u2028|\u2029")
_TAGS = range(0xE0000, 0xE0080)
_INVISIBLE = {0x200B, 0x200C, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0xFEFF, 0x180E, 0x00AD}
_DIRECTION = {0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_WORD = re.compile(r"[^\W_]+(?:[''’.+#&/-][^\W_]+)*[+#]*")

BULLETS = "•‣◦⁃∙·●○▪▫■□–—*-➢➤►▶✓✔★☆❖♦◆◇→⇒»›✦✪o\uf0b7\uf0a7\uf0d8\uf076\uf0fc"
_BULLET = re.compile(rf"^\s*([{re.escape(BULLETS)}]|\d{{1,2}}[.)])\s+(?=\S)")
_PRIVATE_USE = re.compile(r"[\ue000-\uf8ff]")


@dataclass(frozen=True, slots=True)
class CleanText:
    """A text without what a reader cannot see. The flags name what was taken out."""

    text: str
    hidden_characters: int
    hidden_message: str


def clean(raw: str) -> CleanText:
    """Take out invisible, directional and control characters; keep every visible word and line.

    Characters of the tag block spell a message that only a machine reads: it is returned in
    `hidden_message`, never put back into the text.
    """
    text = unicodedata.normalize("NFC", _BREAKS.sub("\n", raw).translate(_LIGATURES))
    kept: list[str] = []
    message: list[str] = []
    hidden = 0
    for character in text:
        code = ord(character)
        if code < 0x7F and (code >= 0x20 or character in "\n\t"):
            kept.append(character)
        elif code in _TAGS:
            hidden += 1
            message.append(chr(code - 0xE0000) if code > 0xE001F else "")
        elif code in _INVISIBLE or code in _DIRECTION:
            hidden += 1
        elif unicodedata.category(character) in {"Cc", "Cs", "Cn"}:
            continue
        else:
            kept.append(character)
    # A zero-width joiner holds emoji and some scripts together, so it stays in the text.
    return CleanText("".join(kept), hidden, "".join(message).strip())


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `number` counts from 1, `text` is as read, `content` without bullet and margins."""

    number: int
    text: str
    bullet: str | None
    content: str

    @property
    def is_blank(self) -> bool:
        """Whether the line says nothing."""
        return not self.content

    def passage(self, start: int = 0, end: int | None = None) -> Passage:
        """The words from `start` to `end` of `content`, cut at a word where they are long."""
        return Passage(shorten(self.content[start:end].strip()), self.number)


def shorten(quote: str) -> str:
    """The beginning of a passage, whole words, without a mark that the text does not have."""
    if len(quote) <= MAX_QUOTE:
        return quote
    cut = quote[:MAX_QUOTE]
    return cut[: cut.rfind(" ")] if " " in cut[MAX_QUOTE // 2 :] else cut


class ResumeText:
    """A cleaned text with its lines and words."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = tuple(self._lines())

    def _lines(self) -> Iterator[Line]:
        for number, text in enumerate(self.text.split("\n"), 1):
            found = _BULLET.match(text)
            bullet = found.group(1) if found else None
            content = text[found.end() :] if found else text
            yield Line(number, text, bullet, content.strip())

    @cached_property
    def word_count(self) -> int:
        """How many words there are."""
        return sum(1 for _ in _WORD.finditer(self.text))


def words(text: str) -> list[str]:
    """The words of a text, with the marks that belong to them (C++, .NET aside, well-known)."""
    return _WORD.findall(text)


def has_private_glyph(text: str) -> bool:
    """Whether the text holds a symbol-font glyph, which other programs show as an empty box."""
    return _PRIVATE_USE.search(text) is not None
