"""Which part of a résumé each line belongs to, whatever its heading is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from careerlens.career.analysis.text import Line, ResumeText
from careerlens.career.analysis.vocabulary import lines_of

HEADER = "header"
MAX_HEADING_WORDS = 6
_TYPO_RATIO = 0.88
_MIN_TYPO_LENGTH = 6

_SPACED = re.compile(r"^(?:\w +){3,}\w$")
_EDGES = re.compile(r"^[^\w]+|[^\w)]+$")
_NUMBERING = re.compile(r"^(?:\d{1,2}|[ivxIVX]{1,4})[.)]\s+")
_INLINE = re.compile(r"^([A-Z][A-Za-z&/ ]{2,40}?)\s*(?::|\s[-–—]\s)\s*(\S.*)$")
_YEARS_REMARK = re.compile(r"\s*\([^)]*\)\s*$")

TITLES = {
    "contact": "Contact details",
    "summary": "Summary",
    "experience": "Work experience",
    "education": "Education",
    "skills": "Skills",
    "projects": "Projects",
    "certifications": "Licences and certifications",
    "languages": "Languages",
    "awards": "Awards",
    "publications": "Publications",
    "volunteering": "Volunteering",
    "memberships": "Memberships",
    "interests": "Interests",
    "references": "References",
}


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive lines under one heading. The first, without a heading, is called `header`.

    `typo` is the right spelling of a heading that was misspelt.
    """

    name: str
    heading: Line | None
    lines: tuple[Line, ...]
    typo: str | None = None
    letter_spaced: bool = False

    @property
    def first_line(self) -> int:
        """Number of the heading's line, or of the first one."""
        return self.heading.number if self.heading else self.lines[0].number

    @property
    def last_line(self) -> int:
        """Number of the last line that says something."""
        said = [line.number for line in self.lines if not line.is_blank]
        return said[-1] if said else self.first_line

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands under the heading."""
        return all(line.is_blank for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Heading:
    name: str
    rest: str
    typo: str | None
    letter_spaced: bool


@cache
def _known_headings() -> dict[str, str]:
    known: dict[str, str] = {}
    for line in lines_of("headings"):
        name, _, spellings = line.partition("|")
        for spelling in spellings.split(";"):
            known.setdefault(_plain(spelling), name.strip())
    return known


def split(text: ResumeText) -> tuple[Section, ...]:
    """Cut the text at its headings, in order. Every line is in exactly one section."""
    sections: list[Section] = []
    current: _Heading | None = None
    heading_line: Line | None = None
    lines: list[Line] = []

    def close() -> None:
        if current is None and not lines:
            return
        sections.append(
            Section(
                name=current.name if current else HEADER,
                heading=heading_line,
                lines=tuple(lines),
                typo=current.typo if current else None,
                letter_spaced=current.letter_spaced if current else False,
            )
        )

    for line in text.lines:
        heading = _heading_of(line)
        if heading is None or _is_subheading(heading, current, line):
            lines.append(line)
            continue
        close()
        current, heading_line = heading, line
        lines = [_remainder(line, heading.rest)] if heading.rest else []
    close()
    return tuple(sections)


def _is_subheading(heading: _Heading, current: _Heading | None, line: Line) -> bool:
    """Whether this only groups what stands in a section ("Languages: Python, Go" under Skills)."""
    groups_skills = heading.rest and heading.name in {"languages", "skills"}
    within_skills = current is not None and current.name == "skills"
    return bool(
        (groups_skills and within_skills) or (line.number == 1 and heading.name == "contact")
    )


def _remainder(line: Line, rest: str) -> Line:
    """What follows a heading on its own line ("Skills: SQL, Excel"), as a line of its section."""
    return Line(line.number, line.text, None, rest)


def _heading_of(line: Line) -> _Heading | None:
    content = line.content
    if not content or len(content) > 90 or (line.bullet and line.bullet not in "■◆❖★▪●►➤•○□▶"):
        return None
    spaced = _SPACED.match(content) is not None
    whole = _find(_unspaced(content) if spaced else content, allow_typo=not line.bullet)
    if whole is not None and not content.endswith((".", ",")):
        if line.bullet and not content.isupper():
            return None
        return _Heading(whole[0], "", whole[1], spaced)
    if line.bullet:
        return None
    inline = _INLINE.match(content)
    if inline and (named := _find(inline.group(1), allow_typo=False)):
        if named[0] in {"skills", "languages", "certifications", "interests", "education"}:
            return _Heading(named[0], inline.group(2).strip(), None, False)
        if named[0] in {"summary", "references"} and len(inline.group(1).split()) <= 3:
            return _Heading(named[0], inline.group(2).strip(), None, False)
    return None


def _find(content: str, *, allow_typo: bool) -> tuple[str, str | None] | None:
    """Section name, and the right spelling where the heading has a slip."""
    plain = _plain(_YEARS_REMARK.sub("", content))
    if not plain or len(plain.split()) > MAX_HEADING_WORDS:
        return None
    known = _known_headings()
    if plain in known:
        # A lower-case "work" or "community" in running text is no heading.
        return (known[plain], None) if content.lstrip()[:1].isupper() or len(plain) > 9 else None
    looks_like_one = content.isupper() or content.istitle() or content[:1].isupper()
    if allow_typo and looks_like_one and len(plain) >= _MIN_TYPO_LENGTH:
        near = get_close_matches(plain, known, n=1, cutoff=_TYPO_RATIO)
        if near and near[0][0] == plain[0] and abs(len(near[0]) - len(plain)) <= 2:
            is_other_form = near[0].rstrip("s") == plain.rstrip("s")
            return known[near[0]], None if is_other_form else near[0]
    return None


def _plain(heading: str) -> str:
    text = _NUMBERING.sub("", heading.strip())
    text = _EDGES.sub("", text).lower().replace("&", " and ").replace("/", " and ")
    return " ".join(re.sub(r"[^\w\s]", " ", text).split())


def _unspaced(content: str) -> str:
    """ "E X P E R I E N C E" read as one word; two spaces or more part words."""
    return " ".join(part.replace(" ", "") for part in re.split(r"\s{2,}", content))


def lines_in(sections: tuple[Section, ...], *names: str) -> Iterator[Line]:
    """The lines of every section with one of these names."""
    for section in sections:
        if section.name in names:
            yield from section.lines
