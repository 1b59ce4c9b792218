"""A word on each section: whether it is there, what it does well, what it lacks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from careerlens.career.analysis.contacts import Contacts
from careerlens.career.analysis.dates import Period, years_together
from careerlens.career.analysis.findings import Passage
from careerlens.career.analysis.impact import has_figure
from careerlens.career.analysis.keywords import Keywords
from careerlens.career.analysis.sections import HEADER, TITLES, Section
from careerlens.career.analysis.skills import Mention
from careerlens.career.analysis.statements import Statement
from careerlens.career.analysis.structure import Expectations
from careerlens.career.analysis.text import words
from careerlens.career.analysis.verbs import Verbs
from careerlens.career.report import Evidence, SectionFeedback

_DEGREE = re.compile(
    r"\b(?:b\.?\s?sc?|b\.?a|b\.?s\.?n|b\.?eng|b\.?ed|m\.?\s?sc?|m\.?a|m\.?eng|m\.?ed|m\.?b\.?a|ph\.?d|"
    r"bachelor\w*|master\w*|doctor\w*|diploma|associate'?s?|degree|a-levels?|gcse\w*|hnd|hnc|btec|"
    r"certificate|ged|high school|pgce|apprenticeship|foundation|lic\.?|abitur)\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:19[5-9]|20[0-4])\d\b")
_MANY_SKILLS = 35
_FEW_SKILLS = 6


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules have found out, for the words on each section."""

    sections: tuple[Section, ...]
    contacts: Contacts
    statements: tuple[Statement, ...]
    periods: tuple[Period, ...]
    verbs: Verbs
    mentions: list[Mention]
    keywords: Keywords
    expected: Expectations
    role_title: str | None


@dataclass(frozen=True, slots=True)
class _Word:
    score: int
    feedback: str
    evidence: tuple[Passage, ...] = ()


def on_sections(facts: Facts) -> list[SectionFeedback]:
    """Feedback on the sections that every résumé needs, and on those that are there."""
    named: dict[str, Section] = {}
    for section in facts.sections:
        if section.name != HEADER:
            named.setdefault(section.name, section)
    required = ["contact", "summary", "experience", "education", "skills"]
    if facts.expected.certifications:
        required.append("certifications")
    shown = [*required, *(name for name in named if name not in required)]
    return [_feedback(name, named.get(name), name in required, facts) for name in shown]


def _feedback(name: str, section: Section | None, required: bool, facts: Facts) -> SectionFeedback:
    if name == "contact":
        word = _on_contact(facts)
        present = word.score > 0
    else:
        present = section is not None and not section.is_empty
        word = _WORDS.get(name, _on_other)(section, facts) if section and present else _absent(name)
    return SectionFeedback(
        section=name,
        title=TITLES[name],
        present=present,
        required=required,
        heading=section.heading.content if section and section.heading else None,
        first_line=section.first_line if section else None,
        last_line=section.last_line if section else None,
        score=word.score,
        feedback=word.feedback,
        evidence=[Evidence(quote=one.quote, line=one.line) for one in word.evidence if one.quote],
    )


def _absent(name: str) -> _Word:
    advice = {
        "summary": "Missing. Two or three lines at the top: your trade, years in it, two proofs.",
        "experience": "Missing. Without it, a tracking system records no experience at all.",
        "education": "Missing. Name degree or certificate, school and year.",
        "skills": "Missing. Eight to fifteen skills, grouped, in the words of the posting.",
        "certifications": "Missing, and in this trade looked for first.",
    }
    return _Word(0, advice.get(name, "Empty. Fill it, or take the heading out."))


def _on_contact(facts: Facts) -> _Word:
    kinds = (
        ("e-mail", facts.contacts.email, 40),
        ("phone", facts.contacts.phone, 30),
        ("location", facts.contacts.location, 15),
        ("LinkedIn", facts.contacts.linkedin, 15),
    )
    found = [name for name, passage, _ in kinds if passage]
    lacking = [name for name, passage, _ in kinds if not passage]
    score = sum(points for _, passage, points in kinds if passage)
    said = f"Found: {', '.join(found)}." if found else "Nothing found."
    if lacking:
        said += f" Not found: {', '.join(lacking)}."
    return _Word(score, said, tuple(passage for _, passage, _ in kinds if passage)[:2])


def _on_summary(section: Section, facts: Facts) -> _Word:
    lines = [line for line in section.lines if not line.is_blank]
    said = " ".join(line.content for line in lines)
    count = len(words(said))
    skills = {mention.skill for mention in facts.mentions if mention.line in lines}
    asked = {entry.wanted.skill for entry in facts.keywords.matched}
    score, remarks = 100, []
    if count > 90 or count < 15:
        score -= 25
        remarks.append(f"{count} words; 30 to 60 read best.")
    if not has_figure(said):
        score -= 25
        remarks.append("No figure yet: add years, size or a result.")
    if facts.role_title and not skills & asked:
        score -= 25
        remarks.append("It names no skill that the role asks for.")
    fine = "It is short, has a figure and names what the role asks for."
    return _Word(score, " ".join(remarks) or fine, (lines[0].passage(),))


def _on_experience(section: Section, facts: Facts) -> _Word:
    own = [one for one in facts.statements if one.section == "experience"]
    measured = sum(has_figure(one.text) for one in own)
    years = years_together(facts.periods)
    share = measured / len(own) if own else 0.0
    score = round(
        40 * min(1.0, share / 0.5)
        + 30 * min(1.0, facts.verbs.strong_share / 0.75)
        + (15 if facts.periods else 0)
        + 15 * min(1.0, len(own) / 6)
    )
    jobs = len(facts.periods)
    remarks = [
        f"{jobs} dated {'job' if jobs == 1 else 'jobs'}"
        + (f" over {years:g} years" if years else "")
        + f", {len(own)} {'statement' if len(own) == 1 else 'statements'},"
        f" {measured} with a figure."
    ]
    if share < 0.5:
        remarks.append(f"What counts in this trade: {facts.expected.proof}.")
    weak = tuple(found.statement.passage() for found in facts.verbs.weak)
    best = tuple(one.passage() for one in own if has_figure(one.text))
    return _Word(score, " ".join(remarks), (weak if share < 0.5 and weak else best)[:2])


def _on_education(section: Section, facts: Facts) -> _Word:
    lines = [line for line in section.lines if not line.is_blank]
    degrees = [line for line in lines if _DEGREE.search(line.content)]
    dated = any(_YEAR.search(line.content) for line in lines)
    score = 40 + (40 if degrees else 0) + (20 if dated else 0)
    remarks = []
    if not degrees:
        remarks.append("No degree or certificate was recognised; write its usual name.")
    if not dated:
        remarks.append("Add the year.")
    evidence = (degrees or lines)[0].passage()
    return _Word(score, " ".join(remarks) or "Degree and year are plain to see.", (evidence,))


def _on_skills(section: Section, facts: Facts) -> _Word:
    numbers = {line.number for line in section.lines}
    listed = {mention.skill for mention in facts.mentions if mention.line.number in numbers}
    asked = {entry.wanted.skill for entry in facts.keywords.matched} & listed
    lines = [line for line in section.lines if not line.is_blank]
    score, remarks = 100, [f"{len(listed)} known skills"]
    remarks[0] += f", {len(asked)} of them asked for by the role." if facts.role_title else "."
    if len(listed) < _FEW_SKILLS:
        score -= 40
        remarks.append("List more, by the names that postings use.")
    if len(listed) > _MANY_SKILLS:
        score -= 20
        remarks.append("So many hide the ones that matter; keep the best twenty.")
    if facts.role_title and len(asked) < 4:
        score -= 30
        remarks.append("Few of them are what this role asks for.")
    return _Word(max(score, 0), " ".join(remarks), tuple(line.passage() for line in lines[:2]))


def _on_certifications(section: Section, facts: Facts) -> _Word:
    lines = [line for line in section.lines if not line.is_blank]
    dated = [line for line in lines if _YEAR.search(line.content)]
    if len(dated) == len(lines):
        said = "One entry, dated." if len(lines) == 1 else f"{len(lines)} entries, all dated."
        return _Word(100, said, (lines[0].passage(),))
    undated = next(line for line in lines if line not in dated)
    return _Word(
        70,
        f"{len(lines) - len(dated)} of {len(lines)} without a year. Give issuer, year and expiry.",
        (undated.passage(),),
    )


def _on_references(section: Section, facts: Facts) -> _Word:
    heading = section.heading
    return _Word(
        40, "Take it out; you are asked when they are wanted.",
        (heading.passage(),) if heading else (),
    )  # fmt: skip


def _on_other(section: Section, facts: Facts) -> _Word:
    lines = [line for line in section.lines if not line.is_blank]
    return _Word(
        100, "Present and filled. Keep it if it speaks for this role.", (lines[0].passage(),)
    )


_WORDS: dict[str, Callable[[Section, Facts], _Word]] = {
    "summary": _on_summary,
    "experience": _on_experience,
    "education": _on_education,
    "skills": _on_skills,
    "certifications": _on_certifications,
    "references": _on_references,
}
