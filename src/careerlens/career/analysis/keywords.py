"""The résumé's skills against what postings for the role ask for."""

from __future__ import annotations

from dataclasses import dataclass

from careerlens.career.analysis.findings import Finding, Findings, Part, Passage, Praise
from careerlens.career.analysis.skills import Mention
from careerlens.career.market.profile import MarketView, WantedSkill

POINTS = 40
FULL_COVERAGE = 0.9
"""The share of demand that earns full points: nobody shows everything that postings list."""
LISTED_WEIGHT = 0.7
"""What a skill counts that is only listed; 1 when a statement shows it in use."""
_MANY = 8
_STUFFED_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Matched:
    """A wanted skill that the résumé names."""

    wanted: WantedSkill
    mentions: tuple[Mention, ...]

    @property
    def in_use(self) -> bool:
        """Whether any statement shows it, and not only a list."""
        return any(mention.in_use for mention in self.mentions)

    def evidence(self) -> tuple[Passage, ...]:
        """Up to three places, those in use first."""
        ordered = sorted(self.mentions, key=lambda mention: not mention.in_use)
        return tuple(dict.fromkeys(mention.passage() for mention in ordered))[:3]


@dataclass(frozen=True, slots=True)
class Keywords:
    """The comparison. `coverage` is None where no role was matched."""

    matched: tuple[Matched, ...]
    missing: tuple[WantedSkill, ...]
    other: tuple[str, ...]
    coverage: float | None
    density: float
    total_demand: float

    @property
    def points(self) -> float:
        """Points of the ATS score, of `POINTS`."""
        return POINTS * min(1.0, (self.coverage or 0.0) / FULL_COVERAGE)

    def gain(self, skill: WantedSkill) -> float:
        """Points that naming one more skill would add, shown in use."""
        if self.coverage is None or not self.total_demand:
            return 0.0
        after = self.coverage + skill.demand_percent / self.total_demand
        return max(0.0, POINTS * min(1.0, after / FULL_COVERAGE) - self.points)


def compare(found: dict[str, list[Mention]], market: MarketView, word_count: int) -> Keywords:
    """Compare the skills found with those the role's postings want."""
    matched = tuple(
        Matched(wanted, tuple(found[wanted.skill]))
        for wanted in market.wanted
        if wanted.skill in found
    )
    names = {wanted.skill for wanted in market.wanted}
    total = sum(wanted.demand_percent for wanted in market.wanted)
    met = sum(
        entry.wanted.demand_percent * (1.0 if entry.in_use else LISTED_WEIGHT) for entry in matched
    )
    other = sorted(
        skill
        for skill, mentions in found.items()
        if skill not in names and any(mention.sure for mention in mentions)
    )
    spoken = sum(len(entry.mentions) for entry in matched)
    return Keywords(
        matched=matched,
        missing=tuple(wanted for wanted in market.wanted if wanted.skill not in found),
        other=tuple(other),
        coverage=round(met / total, 4) if total else None,
        density=round(100 * spoken / word_count, 1) if word_count else 0.0,
        total_demand=total,
    )


def judge(keywords: Keywords, market: MarketView, word_count: int, findings: Findings) -> None:
    """Findings on what is missing, only listed, or repeated too often."""
    role = market.match.role
    if role is None:
        return
    _judge_missing(keywords, role.title, findings)
    _judge_only_listed(keywords, role.title, findings)
    _judge_stuffing(keywords, word_count, findings)
    _praise_coverage(keywords, role.title, findings)


def _judge_missing(keywords: Keywords, role: str, findings: Findings) -> None:
    lost = POINTS - keywords.points
    essential = [wanted for wanted in keywords.missing if wanted.importance == "essential"]
    important = [wanted for wanted in keywords.missing if wanted.importance == "important"]
    weights = sum(wanted.demand_percent for wanted in (*essential, *important)) or 1.0
    for group, priority, word in (
        (essential, "high", "nearly always asked for in postings"),
        (important, "medium", "often asked for in postings"),
    ):
        if not group:
            continue
        share = sum(wanted.demand_percent for wanted in group) / weights
        names = _listing([f"{wanted.skill} ({wanted.demand_percent:.0f}%)" for wanted in group[:7]])
        more = f" and {len(group) - 7} more" if len(group) > 7 else ""
        findings.issues.append(
            Finding(
                id=f"keywords-{group[0].importance}-missing",
                priority=priority,
                category="Keywords",
                issue=f"Not found, and {word} for {role}: {names}{more}.",
                recommendation="Name those you truly have, in the words of the posting, inside the"
                " statement that shows you using them. Leave out the ones you do not have.",
                part=Part.KEYWORDS,
                cost=round(lost * share, 2),
            )
        )


def _judge_only_listed(keywords: Keywords, role: str, findings: Findings) -> None:
    listed = [
        entry
        for entry in keywords.matched
        if not entry.in_use and entry.wanted.importance != "useful"
    ]
    if len(listed) >= 3:
        names = _listing([entry.wanted.skill for entry in listed[:6]])
        findings.issues.append(
            Finding(
                id="keywords-only-listed",
                priority="medium" if len(listed) >= 5 else "low",
                category="Keywords",
                issue=f"Listed, but never shown in use: {names}.",
                recommendation="Take the two or three that matter most for this role into your work"
                " experience: what you did with them, and what came of it.",
                part=Part.KEYWORDS,
                evidence=tuple(dict.fromkeys(entry.mentions[0].passage() for entry in listed))[:3],
            )
        )


def _judge_stuffing(keywords: Keywords, word_count: int, findings: Findings) -> None:
    limit = max(_MANY, int(_STUFFED_SHARE * word_count))
    stuffed = [entry for entry in keywords.matched if len(entry.mentions) > limit]
    if stuffed:
        names = _listing(
            [f"{entry.wanted.skill} ({len(entry.mentions)} times)" for entry in stuffed]
        )
        findings.issues.append(
            Finding(
                id="keyword-stuffing",
                priority="medium",
                category="Keywords",
                issue=f"Repeated so often that it looks like stuffing: {names}.",
                recommendation="Two or three mentions with substance are enough. Screening programs"
                " do not count further ones, and people take them for padding.",
                part=Part.PARSING,
                cost=4,
                evidence=stuffed[0].evidence(),
                minutes=10,
                action="Thin out the repeated keywords",
            )
        )


def _praise_coverage(keywords: Keywords, role: str, findings: Findings) -> None:
    strong = [
        entry for entry in keywords.matched if entry.in_use and entry.wanted.importance != "useful"
    ]
    if len(strong) >= 4 and (keywords.coverage or 0) >= 0.35:
        names = _listing([entry.wanted.skill for entry in strong[:6]])
        findings.praise.append(
            Praise(
                title=f"The core of {role} is there",
                detail=f"Shown in use, and much asked for: {names}.",
                weight=5,
                evidence=tuple(dict.fromkeys(entry.evidence()[0] for entry in strong))[:3],
            )
        )


def _listing(names: list[str]) -> str:
    return ", ".join(names)
