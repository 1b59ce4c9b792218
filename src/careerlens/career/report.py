"""What `resume-optimization` gives: the report on one résumé against one target role.

Every judgement carries its evidence: the passage it concerns, with the line it stands on. Lines
are those of the text as it was read, counted from 1. Scores are sums of named parts, so a reader
can see where each point came from; `careerlens.career.analysis.scoring` has the weights.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from careerlens.jobs.model import WireModel

Score = Annotated[int, Field(ge=0, le=100)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Priority(StrEnum):
    """How much an improvement matters. High: it may cost an interview by itself."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Importance(StrEnum):
    """How often postings for the role ask for a skill: at least 60%, at least 30%, less."""

    ESSENTIAL = "essential"
    IMPORTANT = "important"
    USEFUL = "useful"


class QualityLabel(StrEnum):
    """Overall quality in a word: at least 85, 70, 55, 40 points, and below."""

    EXCELLENT = "excellent"
    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"
    POOR = "poor"


class ReportPart(WireModel, defer_build=True):
    """Base of all parts. They are many, so how to check them is worked out at the first report."""


class Evidence(ReportPart):
    """A passage of the résumé, word for word, and the line it stands on."""

    quote: str
    line: Annotated[int, Field(ge=1)]


class ScorePart(ReportPart):
    """One part of a score: `points` of at most `out_of`, and why."""

    name: str
    title: str
    points: Annotated[float, Field(ge=0)]
    out_of: Annotated[float, Field(gt=0)]
    reason: str


class TargetRole(ReportPart):
    """The role asked for and the one of our market data it was taken for.

    `matched` is None when no role is near enough: then nothing is measured against a market, and
    `note` says so. `similarity` is from 0 to 1; `salary` is the middle half of yearly pay.
    """

    requested: str
    matched: str | None
    similarity: Annotated[float, Field(ge=0, le=1)]
    note: str
    salary: SalaryBand | None = None


class SalaryBand(ReportPart):
    """Yearly gross pay, lower quarter to upper quarter."""

    low: int
    median: int
    high: int
    currency: str


class OverallQuality(ReportPart):
    """How good the writing is, apart from any role: the sum of `breakdown`."""

    score: Score
    label: QualityLabel
    summary: str
    breakdown: list[ScorePart]


class MatchedKeyword(ReportPart):
    """A skill that the role's postings ask for and the résumé shows."""

    keyword: str
    category: str
    demand_percent: Percent
    importance: Importance
    count: int
    evidence: list[Evidence]


class MissingKeyword(ReportPart):
    """A skill that the role's postings ask for and the résumé does not name."""

    keyword: str
    category: str
    demand_percent: Percent
    importance: Importance
    also_written: list[str]


class KeywordAnalysis(ReportPart):
    """The résumé against what postings for the role ask for.

    `coverage` is the share of that demand the résumé meets, from 0 to 1, each skill weighing as
    much as postings ask for it; None without a matched role. `density` counts matched words per
    hundred words. `other_skills` were found and are not asked for.
    """

    score: Score | None
    coverage: Annotated[float, Field(ge=0, le=1)] | None
    density: float
    matched: list[MatchedKeyword]
    missing: list[MissingKeyword]
    other_skills: list[str]
    note: str


class VerbUse(ReportPart):
    """A verb that opens statements, how often, and where."""

    verb: str
    count: int
    evidence: list[Evidence]


class WeakPhrase(ReportPart):
    """An opening that hides what was done. `kind`: weak, passive or vague."""

    phrase: str
    kind: Literal["weak", "passive", "vague"]
    suggestions: list[str]
    evidence: list[Evidence]


class VerbSuggestion(ReportPart):
    """One passage and the openings that would say more."""

    passage: Evidence
    instead_of: str
    try_: Annotated[list[str], Field(alias="try")]


class ActionVerbAnalysis(ReportPart):
    """How statements begin. `statements` counts those looked at, `strong_share` is 0 to 1.

    Lists hold the most frequent or first ones only, so that a report stays small.
    """

    score: Score
    statements: int
    strong_share: Annotated[float, Field(ge=0, le=1)]
    strong: list[VerbUse]
    weak: list[WeakPhrase]
    repeated: list[VerbUse]
    suggestions: list[VerbSuggestion]


class ImprovementArea(ReportPart):
    """One thing to change. `id` is stable for programs."""

    id: str
    priority: Priority
    category: str
    issue: str
    recommendation: str
    evidence: list[Evidence]


class Strength(ReportPart):
    """One thing to keep."""

    title: str
    detail: str
    evidence: list[Evidence]


class SkillGapInsight(ReportPart):
    """A missing skill worth having. `salary_uplift_percent` is against the role's median pay."""

    skill: str
    demand_percent: Percent
    importance: Importance
    salary_uplift_percent: float | None
    why: str
    how_to_learn: str | None
    related: list[str]


class SectionFeedback(ReportPart):
    """One section: whether it is there, under which heading and lines, and what to do."""

    section: str
    title: str
    present: bool
    required: bool
    heading: str | None
    first_line: int | None
    last_line: int | None
    score: Score
    feedback: str
    evidence: list[Evidence]


class QuickWin(ReportPart):
    """A small change with a known effect: the points that the ATS score would gain."""

    action: str
    why: str
    points: Annotated[float, Field(ge=0)]
    minutes: int
    evidence: list[Evidence]


class ContactDetails(ReportPart):
    """Which ways to reach the person were found. The details themselves stay in the résumé."""

    email: bool
    phone: bool
    location: bool
    linkedin: bool
    website: bool


class DocumentFacts(ReportPart):
    """What was read: counts, and the flags that a reader of the report should know.

    `format` is pdf, docx or text. `pages` is None for text. `spelling` is british, american,
    mixed or unknown. `warnings` tell of hidden text and the like.
    """

    format: Literal["pdf", "docx", "text"]
    pages: int | None
    words: int
    lines: int
    statements: int
    quantified_statements: int
    years_of_experience: float | None
    sections: list[str]
    skills: list[str]
    contact: ContactDetails
    spelling: Literal["british", "american", "mixed", "unknown"]
    words_per_sentence: float
    warnings: list[str]


class MarketSource(ReportPart):
    """Where the market data came from. `postings` is how many it was counted from, None for
    estimates of an editor."""

    source: str
    as_of: str
    postings: int | None


class Engine(ReportPart):
    """What made the report. Layers not named here took no part."""

    layers: list[str]
    version: str
    market: MarketSource | None


class ResumeReport(ReportPart):
    """The whole report. `ats_score` is the sum of `ats_breakdown`, rounded."""

    target_role: TargetRole
    ats_score: Score
    ats_breakdown: list[ScorePart]
    overall_quality: OverallQuality
    keyword_analysis: KeywordAnalysis
    action_verb_analysis: ActionVerbAnalysis
    improvement_areas: list[ImprovementArea]
    strengths: list[Strength]
    skill_gap_insights: list[SkillGapInsight]
    section_feedback: list[SectionFeedback]
    quick_wins: list[QuickWin]
    document: DocumentFacts
    engine: Engine
