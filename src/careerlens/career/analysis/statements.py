"""Statements: the bullet points and sentences in which people say what they did."""

from __future__ import annotations

import re
from dataclasses import dataclass

from careerlens.career.analysis.dates import DATE_RANGE, has_date
from careerlens.career.analysis.findings import Passage
from careerlens.career.analysis.sections import HEADER, Section
from careerlens.career.analysis.text import Line, words

_TELLING = ("experience", "projects", "volunteering")
_MIN_WORDS = 3
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_ENDS = re.compile(r"[.!?;]\s*$")


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim. `text` joins wrapped lines; `line` is where it begins."""

    text: str
    line: Line
    section: str
    bulleted: bool

    def passage(self) -> Passage:
        """The statement's first line, or what of it belongs to the statement."""
        first = self.line.content
        start = max(first.find(self.text[:40]), 0) if not self.bulleted else 0
        own = first[start:]
        if len(self.text) < len(own):
            own = own[: len(self.text)]
        return Line(self.line.number, own, None, own).passage()

    @property
    def words(self) -> list[str]:
        """Its words."""
        return words(self.text)


def find(sections: tuple[Section, ...]) -> tuple[Statement, ...]:
    """Statements of the sections that tell of work; of the whole text where none does."""
    telling = [section for section in sections if section.name in _TELLING]
    if not telling:
        telling = [section for section in sections if section.name in {HEADER, "summary"}]
    found: list[Statement] = []
    for section in telling:
        found += _in_section(section)
    return tuple(statement for statement in found if len(statement.words) >= _MIN_WORDS)


def _in_section(section: Section) -> list[Statement]:
    if any(line.bullet for line in section.lines):
        return _bulleted(section) or _sentences(section)
    return _sentences(section)


def _bulleted(section: Section) -> list[Statement]:
    found: list[Statement] = []
    current: list[Line] = []

    def close() -> None:
        if current:
            text = " ".join(line.content for line in current)
            found.append(Statement(text, current[0], section.name, bulleted=True))
            current.clear()

    for line in section.lines:
        if line.bullet and not DATE_RANGE.search(line.content):
            close()
            current.append(line)
        elif current and _continues(current[-1], line):
            current.append(line)
        else:
            close()
    close()
    return found


def _continues(previous: Line, line: Line) -> bool:
    """Whether a line without a bullet carries on the bullet above: a wrapped line."""
    if line.is_blank or line.bullet or has_date(line.content):
        return False
    if line.content[0].islower():
        return True
    return len(previous.content) > 60 and not _ENDS.search(previous.content)


def _sentences(section: Section) -> list[Statement]:
    """Sentences of a section without bullets; lines that name a job (dates, few words) aside."""
    found: list[Statement] = []
    for line in section.lines:
        if line.is_blank or DATE_RANGE.search(line.content) or len(words(line.content)) < 5:
            continue
        found += [
            Statement(sentence.strip(), line, section.name, bulleted=False)
            for sentence in _SENTENCE_END.split(line.content)
            if len(words(sentence)) >= 4
        ]
    return found
