"""What the rules say: findings with their cost, strengths, and the passages that prove them.

A score part begins full and loses what its findings cost, so each lost point has a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Part(StrEnum):
    """The parts of the two scores. The first five make the ATS score, the others quality."""

    KEYWORDS = "keywords"
    PARSING = "parsing"
    SECTIONS = "sections"
    CONTACT = "contact"
    DATES = "dates"
    IMPACT = "impact"
    VERBS = "verbs"
    CLARITY = "clarity"
    STRUCTURE = "structure"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Passage:
    """Words of the résumé as they stand in one of its lines, and that line's number."""

    quote: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something to change. `cost` is in points of `part`; `minutes` is set where it is quick.

    `action` says the change in a few words, for the list of quick wins.
    """

    id: str
    priority: str
    category: str
    issue: str
    recommendation: str
    part: Part
    cost: float = 0.0
    evidence: tuple[Passage, ...] = ()
    minutes: int | None = None
    action: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Praise:
    """Something to keep. `weight` orders them, most telling first."""

    title: str
    detail: str
    weight: float
    evidence: tuple[Passage, ...] = ()


@dataclass(slots=True)
class Findings:
    """What one analysis has found so far."""

    issues: list[Finding] = field(default_factory=list)
    praise: list[Praise] = field(default_factory=list)

    def lost(self, part: Part) -> float:
        """What the findings on this part cost together."""
        return sum(issue.cost for issue in self.issues if issue.part is part)
