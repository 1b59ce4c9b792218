"""Runs every rule over one résumé, in order, and sums up in a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from careerlens.career.analysis import (
    contacts,
    dates,
    impact,
    keywords,
    obstacles,
    sections,
    statements,
    structure,
    style,
    verbs,
)
from careerlens.career.analysis.feedback import Facts, on_sections
from careerlens.career.analysis.findings import Findings, Passage
from careerlens.career.analysis.keywords import Keywords
from careerlens.career.analysis.scoring import Scores, total
from careerlens.career.analysis.skills import SkillFinder, by_skill
from careerlens.career.analysis.text import ResumeText, clean
from careerlens.career.analysis.verbs import Verbs
from careerlens.career.document import ReadDocument
from careerlens.career.market.profile import MarketView, WantedSkill
from careerlens.career.report import (
    ActionVerbAnalysis,
    ContactDetails,
    DocumentFacts,
    Engine,
    Evidence,
    ImprovementArea,
    KeywordAnalysis,
    MarketSource,
    MatchedKeyword,
    MissingKeyword,
    QuickWin,
    ResumeReport,
    SalaryBand,
    SkillGapInsight,
    Strength,
    TargetRole,
    VerbSuggestion,
    VerbUse,
    WeakPhrase,
)

ENGINE_VERSION = "1.0"
"""Of the rules: two reports with the same version were judged alike."""

_PRIORITIES = ("high", "medium", "low")
_MAX_IMPROVEMENTS = 20
_MAX_QUICK_WINS = 6
_MAX_GAPS = 8
_MAX_SUGGESTIONS = 6
_MAX_VERBS = 40
_MAX_WEAK = 30
_KEYWORD_WINS = 3
_WORTH_A_WIN = 0.4
_KINDRED = frozenset(
    {
        "Frontend", "Backend", "Databases", "Cloud and operations", "Security", "Mobile",
        "Testing", "Data and machine learning",
    }
)  # fmt: skip
"""Categories whose members have so much in common that one shortens the way to another."""

StepListener = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class _Studied:
    """Everything that was found out, before it is put into words."""

    document: ReadDocument
    market: MarketView
    text: ResumeText
    facts: Facts
    style: style.Style
    measured: int
    findings: Findings
    warnings: tuple[str, ...]


def analyse(
    document: ReadDocument,
    market: MarketView,
    today: date,
    on_step: StepListener = lambda step, message: None,
) -> ResumeReport:
    """The report on a résumé. `today` closes jobs that are still held."""
    studied = _study(document, market, today, on_step)
    on_step("scoring", "Adding up the scores")
    scores = Scores(studied.findings, studied.facts.keywords)
    report = _report(studied, scores)
    on_step(
        "report",
        f"Wrote {_count(len(report.improvement_areas), 'recommendation')} and"
        f" {_count(len(report.strengths), 'strength')}",
    )
    return report


def _study(
    document: ReadDocument, market: MarketView, today: date, on_step: StepListener
) -> _Studied:
    cleaned = clean(document.text)
    text = ResumeText(cleaned.text)
    findings = Findings()

    found_sections = sections.split(text)
    found_statements = statements.find(found_sections)
    named = [one for one in found_sections if one.name != sections.HEADER]
    on_step(
        "structure",
        f"Found {_count(len(named), 'section')} and {_count(len(found_statements), 'statement')}",
    )

    mentions = SkillFinder(market.spellings).find(found_sections)
    compared = keywords.compare(by_skill(mentions), market, text.word_count)
    shown = len(compared.matched) + len(compared.other)
    role = market.match.role
    on_step(
        "keywords",
        f"Found {_count(shown, 'skill')}, {len(compared.matched)} of"
        f" {len(market.wanted)} that {role.title} asks for"
        if role
        else f"Found {_count(shown, 'skill')}",
    )
    keywords.judge(compared, market, text.word_count, findings)

    expected = structure.expectations_of(role.family if role else None)
    found_contacts = contacts.find(text, found_sections)
    contacts.judge(found_contacts, text, findings, wants_link=expected.work_link)
    held = dates.periods(found_sections, today)
    dates.judge(found_sections, held, today, findings)
    studied_verbs = verbs.study(found_statements)
    verbs.judge(studied_verbs, findings)
    measured = impact.judge(found_statements, findings)
    studied_style = style.study(text, found_statements)
    style.judge(studied_style, text, found_statements, findings)
    obstacles.judge(text, cleaned, document.layout, found_sections, found_statements, findings)
    structure.judge(
        text, found_sections, found_statements, expected, dates.years_together(held),
        document.pages, findings,
    )  # fmt: skip
    on_step(
        "writing-quality",
        f"{measured} of {_count(len(found_statements), 'statement')} with a figure,"
        f" {_count(len(studied_verbs.weak), 'weak opening')}",
    )
    return _Studied(
        document=document,
        market=market,
        text=text,
        facts=Facts(
            sections=found_sections,
            contacts=found_contacts,
            statements=found_statements,
            periods=held,
            verbs=studied_verbs,
            mentions=mentions,
            keywords=compared,
            expected=expected,
            role_title=role.title if role else None,
        ),
        style=studied_style,
        measured=measured,
        findings=findings,
        warnings=_warnings(document, cleaned.hidden_characters, cleaned.hidden_message),
    )


def _report(studied: _Studied, scores: Scores) -> ResumeReport:
    breakdown = scores.ats_breakdown()
    return ResumeReport(
        target_role=_target_role(studied.market),
        ats_score=total(breakdown),
        ats_breakdown=breakdown,
        overall_quality=scores.quality(),
        keyword_analysis=_keyword_analysis(studied.facts.keywords, studied.market),
        action_verb_analysis=_verb_analysis(studied.facts.verbs, scores),
        improvement_areas=_improvements(studied.findings),
        strengths=_strengths(studied.findings),
        skill_gap_insights=_gaps(studied.facts.keywords, studied.market),
        section_feedback=on_sections(studied.facts),
        quick_wins=_quick_wins(studied, scores),
        document=_document(studied),
        engine=Engine(
            layers=["deterministic"],
            version=ENGINE_VERSION,
            market=MarketSource(
                source=studied.market.source.name,
                as_of=studied.market.source.as_of,
                postings=studied.market.source.postings,
            )
            if studied.market.match.role
            else None,
        ),
    )


def _target_role(market: MarketView) -> TargetRole:
    match = market.match
    role = match.role
    if role is None:
        note = (
            "Our market data knows no role like this one, so nothing was measured against a market"
            " and the ATS score has no keyword part. The rest of the report holds for any role."
        )
    elif match.similarity >= 0.95:
        note = f"Compared with what postings for {role.title} ask for, by a curated sample."
    else:
        note = (
            f"Compared with {role.title}, the nearest role of our curated sample. If that is not"
            " what you meant, name the role as postings do."
        )
    return TargetRole(
        requested=match.requested,
        matched=role.title if role else None,
        similarity=match.similarity,
        note=note,
        salary=SalaryBand(
            low=role.salary_low,
            median=role.salary_median,
            high=role.salary_high,
            currency=role.currency,
        )
        if role
        else None,
    )


def _keyword_analysis(compared: Keywords, market: MarketView) -> KeywordAnalysis:
    role = market.match.role
    return KeywordAnalysis(
        score=round(100 * compared.points / keywords.POINTS) if role else None,
        coverage=compared.coverage,
        density=compared.density,
        matched=[
            MatchedKeyword(
                keyword=entry.wanted.skill,
                category=entry.wanted.category,
                demand_percent=entry.wanted.demand_percent,
                importance=entry.wanted.importance,
                count=len(entry.mentions),
                evidence=_evidence(entry.evidence()),
            )
            for entry in compared.matched
        ],
        missing=[
            MissingKeyword(
                keyword=wanted.skill,
                category=wanted.category,
                demand_percent=wanted.demand_percent,
                importance=wanted.importance,
                also_written=_spellings(wanted, market),
            )
            for wanted in compared.missing
        ],
        other_skills=list(compared.other),
        note="Demand is a curated estimate of how many postings for the role ask for the skill."
        if role
        else "No role of our market data is near enough, so there is nothing to compare with.",
    )


def _spellings(wanted: WantedSkill, market: MarketView) -> list[str]:
    return [
        spelling.exact_form or spelling.alias
        for spelling in market.spellings
        if spelling.skill == wanted.skill and spelling.alias.lower() != wanted.skill.lower()
    ][:4]


def _verb_analysis(studied: Verbs, scores: Scores) -> ActionVerbAnalysis:
    part = next(part for part in scores.quality().breakdown if part.name == "verbs")
    weak = (*studied.weak, *studied.passive)
    return ActionVerbAnalysis(
        score=round(100 * part.points / part.out_of),
        statements=studied.statements,
        strong_share=round(min(1.0, studied.strong_share), 3),
        strong=[_use(verb, places) for verb, places in list(studied.strong.items())[:_MAX_VERBS]],
        weak=[
            WeakPhrase(
                phrase=found.written,
                kind=found.opening.kind,
                suggestions=list(found.opening.instead),
                evidence=_evidence([found.statement.passage()]),
            )
            for found in weak[:_MAX_WEAK]
        ],
        repeated=[_use(verb, places) for verb, places in studied.repeated.items()],
        suggestions=[
            VerbSuggestion(
                passage=evidence[0],
                instead_of=found.written,
                try_=list(found.opening.instead),
            )
            for found in weak[:_MAX_SUGGESTIONS]
            if (evidence := _evidence([found.statement.passage()]))
        ],
    )


def _use(verb: str, places: tuple[Passage, ...]) -> VerbUse:
    return VerbUse(verb=verb, count=len(places), evidence=_evidence(places[:3]))


def _improvements(findings: Findings) -> list[ImprovementArea]:
    ordered = sorted(
        findings.issues,
        key=lambda issue: (_PRIORITIES.index(issue.priority), -issue.cost, issue.id),
    )
    return [
        ImprovementArea(
            id=issue.id,
            priority=issue.priority,
            category=issue.category,
            issue=issue.issue,
            recommendation=issue.recommendation,
            evidence=_evidence(issue.evidence),
        )
        for issue in ordered[:_MAX_IMPROVEMENTS]
    ]


def _strengths(findings: Findings) -> list[Strength]:
    ordered = sorted(findings.praise, key=lambda praise: (-praise.weight, praise.title))
    return [
        Strength(title=praise.title, detail=praise.detail, evidence=_evidence(praise.evidence))
        for praise in ordered
    ]


def _gaps(compared: Keywords, market: MarketView) -> list[SkillGapInsight]:
    shown = {entry.wanted.skill: entry.wanted.category for entry in compared.matched}
    categories = {spelling.skill: spelling.category for spelling in market.spellings}
    shown |= {skill: categories[skill] for skill in compared.other}
    ordered = sorted(
        compared.missing,
        key=lambda wanted: (
            -(wanted.demand_percent + 3 * (wanted.salary_uplift_percent or 0)),
            wanted.skill,
        ),
    )
    return [_gap(wanted, shown) for wanted in ordered[:_MAX_GAPS]]


def _gap(wanted: WantedSkill, shown: dict[str, str]) -> SkillGapInsight:
    related = (
        sorted(skill for skill, category in shown.items() if category == wanted.category)[:3]
        if wanted.category in _KINDRED
        else []
    )
    why = f"About {wanted.demand_percent:.0f}% of postings ask for it"
    if wanted.salary_uplift_percent:
        why += f", and it goes with about {wanted.salary_uplift_percent:.0f}% more pay"
    why += "."
    if related:
        why += f" You show {' and '.join(related[:2])}, so the way there is short."
    return SkillGapInsight(
        skill=wanted.skill,
        demand_percent=wanted.demand_percent,
        importance=wanted.importance,
        salary_uplift_percent=wanted.salary_uplift_percent,
        why=why,
        how_to_learn=wanted.how_to_learn,
        related=related,
    )


def _quick_wins(studied: _Studied, scores: Scores) -> list[QuickWin]:
    wins = [
        QuickWin(
            action=issue.action,
            why=issue.issue,
            points=scores.gain(issue),
            minutes=issue.minutes,
            evidence=_evidence(issue.evidence),
        )
        for issue in studied.findings.issues
        if issue.minutes is not None and issue.action and scores.gain(issue) >= _WORTH_A_WIN
    ]
    wins += _keyword_wins(studied.facts.keywords)
    return sorted(wins, key=lambda win: (-win.points, win.minutes, win.action))[:_MAX_QUICK_WINS]


def _keyword_wins(compared: Keywords) -> list[QuickWin]:
    wins = []
    for wanted in compared.missing[:_KEYWORD_WINS]:
        gain = round(compared.gain(wanted), 1)
        if gain >= _WORTH_A_WIN:
            wins.append(
                QuickWin(
                    action=f"If you have worked with {wanted.skill}, say so in a statement",
                    why=f"About {wanted.demand_percent:.0f}% of postings for the role ask for it.",
                    points=gain,
                    minutes=5,
                    evidence=[],
                )
            )
    return wins


def _document(studied: _Studied) -> DocumentFacts:
    facts = studied.facts
    found = facts.contacts
    shown = {entry.wanted.skill for entry in facts.keywords.matched} | set(facts.keywords.other)
    return DocumentFacts(
        format=studied.document.format,
        pages=studied.document.pages,
        words=studied.text.word_count,
        lines=len(studied.text.lines),
        statements=len(facts.statements),
        quantified_statements=studied.measured,
        years_of_experience=dates.years_together(facts.periods),
        sections=list(dict.fromkeys(one.name for one in facts.sections if one.heading)),
        skills=sorted(shown),
        contact=ContactDetails(
            email=found.email is not None,
            phone=found.phone is not None,
            location=found.location is not None,
            linkedin=found.linkedin is not None,
            website=found.website is not None,
        ),
        spelling=studied.style.spelling,
        words_per_sentence=studied.style.words_per_sentence,
        warnings=list(studied.warnings),
    )


def _warnings(document: ReadDocument, hidden: int, message: str) -> tuple[str, ...]:
    warnings = list(document.warnings)
    if hidden:
        warnings.append(f"{_count(hidden, 'invisible character')} were taken out before reading.")
    if message:
        warnings.append("Some of them spelled a message that only machines can read.")
    return tuple(warnings)


def _evidence(passages: Iterable[Passage]) -> list[Evidence]:
    return [
        Evidence(quote=passage.quote, line=passage.line)
        for passage in dict.fromkeys(passages)
        if passage.quote
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


__all__ = ["analyse"]
