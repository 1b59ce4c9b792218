"""Statements: the bullet points and sentences in which people say what they did."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from careerlens.career.analysis.dates import DATE_RANGE, has_date
from careerlens.career.analysis.findings import Passage
from careerlens.career.analysis.sections import HEADER, Section
from careerlens.career.analysis.text import Line, words
from careerlens.career.analysis.vocabulary import strong_verbs, weak_openings

_TELLING = ("experience", "projects", "volunteering")
_MIN_WORDS = 3
_MIN_SENTENCE_WORDS = 4
_LONGEST_TITLE = 110
_WRAPPED = 55
"""A line of at least so many characters may go on in the next one."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_ENDS = re.compile(r"[.!?;]\s*$")


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim. `text` joins wrapped lines; it begins at `start` of the content of `line`."""

    text: str
    line: Line
    start: int
    section: str
    bulleted: bool

    def passage(self) -> Passage:
        """As much of the statement as stands on its first line."""
        return self.line.passage(self.start, self.start + len(self.text))

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
            found.append(Statement(text, current[0], 0, section.name, bulleted=True))
            current.clear()

    for line in section.lines:
        if line.bullet and not DATE_RANGE.search(line.content):
            close()
            current.append(line)
        elif current and _continues(current[-1], line):
            current.append(line)
        else:
            close()
            if _opens_like_one(line):
                # Some jobs in bullets, others in lines of their own: both count.
                found.append(Statement(line.content, line, 0, section.name, bulleted=False))
    close()
    return found


def _opens_like_one(line: Line) -> bool:
    """Whether a line without a bullet begins as statements do."""
    said = words(line.content)
    if len(said) < _MIN_SENTENCE_WORDS or has_date(line.content):
        return False
    lowered = line.content.lower()
    return said[0].lower() in strong_verbs() or any(
        lowered.startswith(f"{opening.phrase} ") for opening in weak_openings()
    )


def _continues(previous: Line, line: Line) -> bool:
    """Whether a line without a bullet carries on the bullet above: a wrapped line."""
    if line.is_blank or line.bullet or has_date(line.content):
        return False
    if line.content[0].islower():
        return True
    return len(previous.content) > _WRAPPED and not _ENDS.search(previous.content)


def _sentences(section: Section) -> list[Statement]:
    """Sentences of a section without bullets; lines that name a job (dates, few words) aside."""
    found: list[Statement] = []
    for paragraph in _paragraphs(section.lines):
        text = " ".join(line.content for line in paragraph)
        starts = _line_starts(paragraph)
        position = 0
        for sentence in _SENTENCE_END.split(text):
            begin = text.index(sentence, position)
            position = begin + len(sentence)
            if len(words(sentence)) >= _MIN_SENTENCE_WORDS:
                index = bisect_right(starts, begin) - 1
                line, start = paragraph[index], begin - starts[index]
                found.append(Statement(sentence, line, start, section.name, bulleted=False))
    return found


def _paragraphs(lines: tuple[Line, ...]) -> Iterator[list[Line]]:
    """Runs of lines that carry on each other, without blank ones and those that name a job."""
    current: list[Line] = []
    for line, following in zip_longest(lines, lines[1:]):
        if line.is_blank or _names_a_job(line, following):
            if current:
                yield current
            current = []
            continue
        if current and (_ENDS.search(current[-1].content) or len(current[-1].content) < _WRAPPED):
            yield current
            current = []
        current.append(line)
    if current:
        yield current


def _names_a_job(line: Line, following: Line | None) -> bool:
    """Whether a line is a title, an employer or dates, and no sentence."""
    if len(line.content) > _LONGEST_TITLE or _SENTENCE_END.search(line.content):
        return False
    if has_date(line.content) or len(words(line.content)) < _MIN_SENTENCE_WORDS:
        return True
    dated_below = following is not None and has_date(following.content)
    return dated_below and not _ENDS.search(line.content)


def _line_starts(paragraph: list[Line]) -> list[int]:
    """Where each line begins in the joined text."""
    starts, position = [], 0
    for line in paragraph:
        starts.append(position)
        position += len(line.content) + 1
    return starts
