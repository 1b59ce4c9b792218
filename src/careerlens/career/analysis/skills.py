"""Which skills a text names, by any of their spellings, and where.

The text is cut into atoms (words, and the marks that names contain: C++, .NET, CI/CD) and walked
once; at each atom the longest known spelling wins, so "React Native" is not React, and the time
grows with the text alone. Hyphens part words as spaces do, plurals and British and American
spellings are the same word.

A word such as "Go" or "Excel" is a skill only in company: in a skills section, next to another
skill in a list, or after "in" or "using". "Go to market" is not the language.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from careerlens.career.analysis.contacts import without_contacts
from careerlens.career.analysis.findings import Passage
from careerlens.career.analysis.sections import Section
from careerlens.career.analysis.text import MAX_QUOTE, Line
from careerlens.career.analysis.vocabulary import spelling_pairs
from careerlens.career.market.profile import Spelling

_ATOM = re.compile(r"[^\W_]+|[+#./&@]")
_PLURAL_FROM = 5
_LIST_JOINT = re.compile(r"\s*(?:[,/|;&+(:·•]|,?\s*\b(?:and|or|plus)\b)\s*\(?\s*", re.IGNORECASE)
_INTRODUCED = re.compile(
    r"(?:\b(?:in|using|with|via|of|on|into|learning|through|including|like|to|from|onto|microsoft|ms)"
    r"|[:(])\s*$",
    re.IGNORECASE,
)
_TURNS_AWAY = re.compile(r"[-\s]*(?:to|live|above|beyond|of|at|ahead|forward)\b", re.IGNORECASE)
_LOOK_BACK = 20
_LISTING = ("skills", "languages", "certifications")
_NO_PROOF = ("skills", "languages")
"""Sections whose mentions show nothing in use; a certificate proves itself."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A skill named at a place. `in_use` says that it stands in a statement, not in a list."""

    skill: str
    line: Line
    start: int
    end: int
    sure: bool
    in_use: bool

    def passage(self) -> Passage:
        """The line, or as much of a long one as lies around the name."""
        if len(self.line.content) <= MAX_QUOTE:
            return self.line.passage()
        begin = max(self.start - MAX_QUOTE // 2, 0)
        if begin:
            space = self.line.content.find(" ", begin, self.start)
            begin = space + 1 if space != -1 else self.start
        return self.line.passage(begin)


@dataclass(frozen=True, slots=True)
class _Atom:
    word: str
    start: int
    end: int


@dataclass(slots=True)
class _Node:
    """A place in the tree of spellings, and the spellings that end there."""

    children: dict[str, _Node]
    ending: list[Spelling]


class SkillFinder:
    """Finds skills by the spellings that it was made with."""

    def __init__(self, spellings: Iterable[Spelling]) -> None:
        self._root = _Node({}, [])
        for spelling in spellings:
            node = self._root
            for atom in _atoms(spelling.alias):
                node = node.children.setdefault(atom.word, _Node({}, []))
            node.ending.append(spelling)

    def find(self, sections: Iterable[Section]) -> list[Mention]:
        """Every mention, in the order of the text."""
        found: list[Mention] = []
        for section in sections:
            for line in section.lines:
                if not line.is_blank:
                    found += self._in_line(line, section.name)
        return found

    def _in_line(self, line: Line, section: str) -> list[Mention]:
        content = without_contacts(line.content)
        atoms = _atoms(content)
        candidates: list[tuple[Spelling, int, int]] = []
        position = 0
        while position < len(atoms):
            match = self._longest(content, atoms, position)
            if match is None:
                position += 1
                continue
            spellings, last = match
            start, end = atoms[position].start, atoms[last].end
            candidates += [(spelling, start, end) for spelling in spellings]
            position = last + 1
        return _accepted(candidates, content, line, section)

    def _longest(
        self, content: str, atoms: list[_Atom], first: int
    ) -> tuple[list[Spelling], int] | None:
        node, best = self._root, None
        for index in range(first, len(atoms)):
            child = node.children.get(atoms[index].word)
            if child is None:
                break
            node = child
            start, end = atoms[first].start, atoms[index].end
            fitting = [one for one in node.ending if _fits(one, content, start, end)]
            if fitting:
                best = fitting, index
        return best


def _accepted(
    candidates: list[tuple[Spelling, int, int]], content: str, line: Line, section: str
) -> list[Mention]:
    plain = [(start, end) for spelling, start, end in candidates if not spelling.listed_only]
    accepted: list[Mention] = []
    for spelling, start, end in candidates:
        if spelling.listed_only and not _in_company(content, start, end, section, plain):
            continue
        in_use = section not in _NO_PROOF
        accepted.append(Mention(spelling.skill, line, start, end, spelling.sure, in_use))
    return accepted


def _fits(spelling: Spelling, content: str, start: int, end: int) -> bool:
    """Whether the words at this place may be the spelling: letter case and what stands around."""
    written = content[start:end]
    if spelling.exact_form is not None and written != spelling.exact_form:
        return False
    before, after = content[max(start - 1, 0) : start], content[end : end + 1]
    if after in {"+", "#"} and after:
        return False
    if len(written) == 1 and ({before, after} & {"&", "-", "'", "’", "."} - {""}):
        return after == "." and content[end + 1 : end + 2] in {"", " "} and before in {"", " "}
    is_tail = before == "." and start > 1 and content[start - 2].isalnum()
    return not (is_tail and not written.startswith("."))


def _in_company(
    content: str, start: int, end: int, section: str, others: list[tuple[int, int]]
) -> bool:
    """Whether a word that has another meaning too stands where a skill would stand."""
    if _TURNS_AWAY.match(content, end) or content[end : end + 1] == "-":
        return False
    if section in _LISTING or _INTRODUCED.search(content[max(start - _LOOK_BACK, 0) : start]):
        return True
    after = bisect_left(others, (start, start))
    neighbours = others[max(after - 1, 0) : after + 2]
    return any(
        (0 <= start - other_end <= _LOOK_BACK and _LIST_JOINT.fullmatch(content, other_end, start))
        or (
            0 <= other_start - end <= _LOOK_BACK
            and _LIST_JOINT.fullmatch(content, end, other_start)
        )
        for other_start, other_end in neighbours
    )


def _atoms(text: str) -> list[_Atom]:
    found: list[_Atom] = []
    for match in _ATOM.finditer(text):
        word, start, end = match.group(), match.start(), match.end()
        if not word[0].isalnum() and not _belongs_to_a_name(text, word, start, end):
            continue
        found.append(_Atom(_plain(word), start, end))
    return found


def _belongs_to_a_name(text: str, mark: str, start: int, end: int) -> bool:
    """Whether a mark is part of a name (C++, Node.js, CI/CD, R&D) and not punctuation."""
    if mark in "+#":
        return start > 0 and (text[start - 1].isalnum() or text[start - 1] in "+#")
    if mark == ".":
        return text[end : end + 1].isalnum()
    if mark == "@":
        return False
    return start > 0 and end < len(text)


@lru_cache(maxsize=20_000)
def _plain(word: str) -> str:
    """One form for plural and singular, British and American spelling."""
    word = word.lower()
    for british, american in spelling_pairs():
        if word.startswith(british) and not word.startswith(american):
            word = american + word[len(british) :]
            break
    if len(word) >= _PLURAL_FROM and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word


def by_skill(mentions: Iterable[Mention]) -> dict[str, list[Mention]]:
    """The mentions of each skill."""
    grouped: dict[str, list[Mention]] = defaultdict(list)
    for mention in mentions:
        grouped[mention.skill].append(mention)
    return dict(grouped)
