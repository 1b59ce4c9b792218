"""The two scores, each the sum of named parts.

ATS score: how a tracking system and the recruiter behind it will find and read the résumé.

    keywords  40   share of the role's demand that is met, full points from 90% of it
    parsing   25   minus what tables, boxes, odd signs, hidden text and the like cost
    sections  15   minus what missing sections cost
    contact   10   e-mail 4, phone 3, location 1, LinkedIn 1, sound and without private details 1
    dates     10   minus what missing, mixed or impossible dates, gaps and wrong order cost

Without a matched role the keywords part does not exist, and the others are raised to 100.

Overall quality: how good the writing is, whatever the role.

    impact    30   share of statements with a figure, full points from 75%
    verbs     25   share of statements that open with a strong verb, full points from 90%
    clarity   20   minus slips, empty claims, vague and overlong statements
    structure 15   minus what a missing summary, paragraphs or odd order cost
    length    10   minus what too few or too many words cost
"""

from __future__ import annotations

from careerlens.career.analysis import impact, keywords, obstacles, structure, style, verbs
from careerlens.career.analysis.findings import Finding, Findings, Part
from careerlens.career.analysis.keywords import Keywords
from careerlens.career.report import OverallQuality, QualityLabel, ScorePart

CONTACT_POINTS = 10
DATE_POINTS = 10
ATS_PARTS: dict[Part, tuple[str, float]] = {
    Part.KEYWORDS: ("Keywords of the role", keywords.POINTS),
    Part.PARSING: ("Readable by machines", obstacles.POINTS),
    Part.SECTIONS: ("Expected sections", structure.SECTION_POINTS),
    Part.CONTACT: ("Contact details", CONTACT_POINTS),
    Part.DATES: ("Dates", DATE_POINTS),
}
QUALITY_PARTS: dict[Part, tuple[str, float]] = {
    Part.IMPACT: ("Results with figures", impact.POINTS),
    Part.VERBS: ("Strong openings", verbs.POINTS),
    Part.CLARITY: ("Clear writing", style.POINTS),
    Part.STRUCTURE: ("Structure", structure.STRUCTURE_POINTS),
    Part.LENGTH: ("Length", structure.LENGTH_POINTS),
}
_LABELS = (
    (85, QualityLabel.EXCELLENT),
    (70, QualityLabel.STRONG),
    (55, QualityLabel.FAIR),
    (40, QualityLabel.WEAK),
)
_MAX_REASONS = 3


class Scores:
    """Both scores over one set of findings."""

    def __init__(self, findings: Findings, compared: Keywords) -> None:
        self._findings = findings
        self._compared = compared
        has_role = compared.coverage is not None
        self._parts = {
            part: (title, points)
            for part, (title, points) in ATS_PARTS.items()
            if has_role or part is not Part.KEYWORDS
        }
        self.scale = 100 / sum(points for _, points in self._parts.values())
        """What one point of a part is worth in the ATS score."""

    def ats_breakdown(self) -> list[ScorePart]:
        """The parts of the ATS score."""
        return [
            ScorePart(
                name=part.value,
                title=title,
                points=round(self._points(part, points) * self.scale, 1),
                out_of=round(points * self.scale, 1),
                reason=self._reason(part, points),
            )
            for part, (title, points) in self._parts.items()
        ]

    def quality(self) -> OverallQuality:
        """Overall quality with its label."""
        breakdown = [
            ScorePart(
                name=part.value,
                title=title,
                points=round(self._points(part, points), 1),
                out_of=points,
                reason=self._reason(part, points),
            )
            for part, (title, points) in QUALITY_PARTS.items()
        ]
        score = total(breakdown)
        label = next((label for least, label in _LABELS if score >= least), QualityLabel.POOR)
        return OverallQuality(
            score=score, label=label, summary=_summary(label, breakdown), breakdown=breakdown
        )

    def gain(self, finding: Finding) -> float:
        """Points of the ATS score that mending this alone would give back."""
        if finding.part not in self._parts or finding.part is Part.KEYWORDS:
            return 0.0
        _, out_of = self._parts[finding.part]
        lost = self._findings.lost(finding.part)
        gained = max(0.0, out_of - lost + finding.cost) - max(0.0, out_of - lost)
        return round(gained * self.scale, 1)

    def _points(self, part: Part, out_of: float) -> float:
        if part is Part.KEYWORDS:
            return self._compared.points
        return max(0.0, out_of - self._findings.lost(part))

    def _reason(self, part: Part, out_of: float) -> str:
        if part is Part.KEYWORDS:
            found, missing = len(self._compared.matched), len(self._compared.missing)
            share = round(100 * (self._compared.coverage or 0))
            return f"{found} of {found + missing} skills, {share}% of what the role asks for."
        costly = sorted(
            (issue for issue in self._findings.issues if issue.part is part and issue.cost >= 0.5),
            key=lambda issue: (-issue.cost, issue.id),
        )
        if not costly:
            return "Nothing to mend."
        return " ".join(issue.issue for issue in costly[:_MAX_REASONS])


def total(breakdown: list[ScorePart]) -> int:
    """The score that these parts make, a whole number from 0 to 100."""
    return min(100, max(0, round(sum(part.points for part in breakdown))))


def _summary(label: QualityLabel, breakdown: list[ScorePart]) -> str:
    by_share = sorted(breakdown, key=lambda part: part.points / part.out_of)
    weakest, strongest = by_share[0], by_share[-1]
    opening = {
        QualityLabel.EXCELLENT: "Excellent writing.",
        QualityLabel.STRONG: "Strong writing with room in places.",
        QualityLabel.FAIR: "A fair basis that undersells its author.",
        QualityLabel.WEAK: "Weak as it stands; the substance hardly shows.",
        QualityLabel.POOR: "It needs to be written anew.",
    }[label]
    if weakest.points == weakest.out_of:
        return f"{opening} Every part has full points."
    return (
        f"{opening} Best: {strongest.title.lower()} ({strongest.points:g} of"
        f" {strongest.out_of:g}). Most to gain: {weakest.title.lower()} ({weakest.points:g} of"
        f" {weakest.out_of:g})."
    )
