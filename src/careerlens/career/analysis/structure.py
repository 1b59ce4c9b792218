"""Which sections there are, in which order, how long it all is, and what the trade expects."""

from __future__ import annotations

from dataclasses import dataclass

from careerlens.career.analysis.findings import Finding, Findings, Part, Praise
from careerlens.career.analysis.sections import HEADER, TITLES, Section
from careerlens.career.analysis.statements import Statement
from careerlens.career.analysis.text import ResumeText, words

SECTION_POINTS = 15
STRUCTURE_POINTS = 15
LENGTH_POINTS = 10
_LONG_SUMMARY_WORDS = 90


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a family of trades expects beyond the usual sections.

    `work_link` names what readers want to look at; `proof` says what makes a statement count.
    """

    certifications: bool
    certification_hint: str
    work_link: str | None
    proof: str


_USUAL = Expectations(
    False,
    "Licences and certificates with issuer and year, if you have any that matter here.",
    None,
    "what changed because of you, in time, money, quality or people",
)
_BY_FAMILY = {
    "Software engineering": Expectations(
        False,
        "Cloud or security certificates with year, if you have them.",
        "your code or a running product",
        "users served, response times, costs, failures avoided, time to release",
    ),
    "Data": Expectations(
        False,
        "Cloud or data certificates with year, if you have them.",
        "your code or published analyses",
        "the decision it led to, model quality against a baseline, rows and hours, money",
    ),
    "Product and design": Expectations(
        False,
        "Courses and certificates, if they are recent.",
        "your portfolio",
        "what users did differently, measured before and after",
    ),
    "Healthcare": Expectations(
        True,
        "Licence with state or register and expiry, then BLS, ACLS and the rest with their dates:"
        " hiring managers check these first.",
        None,
        "patients per shift, beds, acuity, satisfaction, infection and fall rates",
    ),
    "Education": Expectations(
        True,
        "Teaching licence with subject, age range and state or QTS: schools cannot hire without.",
        None,
        "class sizes, progress against target, exam results, attendance",
    ),
    "Finance": Expectations(
        False,
        "CPA, ACCA, CFA or the stage you have reached, with year.",
        None,
        "amounts, number of entities, days to close, errors found, money saved",
    ),
    "Engineering": Expectations(
        False,
        "Licence or chartership (PE, EIT, CEng) and software certificates, with year.",
        None,
        "cost, weight, tolerance, cycle time, safety, budget and size of the project",
    ),
    "Sales and marketing": Expectations(
        False,
        "Platform certificates (Google Ads, HubSpot, Salesforce) with year.",
        None,
        "quota reached in percent, revenue, pipeline, conversion, cost per lead",
    ),
}


def expectations_of(family: str | None) -> Expectations:
    """What this family of trades expects; the usual where none is known."""
    return _BY_FAMILY.get(family or "", _USUAL)


def judge(
    text: ResumeText,
    sections: tuple[Section, ...],
    statements: tuple[Statement, ...],
    expected: Expectations,
    years: float | None,
    pages: int | None,
    findings: Findings,
) -> None:
    """Findings on sections, their order and the length."""
    named = {section.name: section for section in sections if section.name != HEADER}
    _judge_missing_sections(named, expected, findings)
    _judge_summary(named, findings)
    _judge_order(named, years, findings)
    _judge_small_things(named, statements, findings)
    _judge_length(text, pages, findings)
    wanted = {"experience", "education", "skills"}
    misspelt = any(section.typo for section in sections)
    if wanted <= named.keys() and not misspelt and not findings.lost(Part.SECTIONS):
        headings = [named[name].heading for name in ("experience", "education", "skills")]
        findings.praise.append(
            Praise(
                title="All expected sections, under usual headings",
                detail=f"{len(named)} sections that parsers and people find at once.",
                weight=1.5,
                evidence=tuple(line.passage() for line in headings if line is not None),
            )
        )


def _judge_missing_sections(
    named: dict[str, Section], expected: Expectations, findings: Findings
) -> None:
    wanted = [
        (
            "experience", 6.0, "high",
            "Give it a heading of its own, “Work experience”, with employer, title and dates for"
            " each job. Without it a system records no experience at all.",
        ),
        (
            "skills", 4.0, "high",
            "Add a “Skills” section of eight to fifteen items, grouped. Systems and recruiters"
            " search it by word.",
        ),
        (
            "education", 3.0, "medium",
            "Add an “Education” section: degree or certificate, school, year.",
        ),
    ]  # fmt: skip
    if expected.certifications:
        wanted.append(("certifications", 2.0, "high", expected.certification_hint))
    for name, cost, priority, recommendation in wanted:
        if name not in named:
            findings.issues.append(
                Finding(
                    id=f"section-{name}-missing",
                    priority=priority,
                    category="Sections",
                    issue=f"There is no section “{TITLES[name]}”.",
                    recommendation=recommendation,
                    part=Part.SECTIONS,
                    cost=cost,
                    minutes=15 if name in {"skills", "certifications"} else None,
                    action=f"Add a section “{TITLES[name]}”",
                )
            )
    for section in named.values():
        if section.is_empty and section.heading and section.name != "references":
            findings.issues.append(
                Finding(
                    id="section-empty",
                    priority="low",
                    category="Sections",
                    issue=f"Nothing stands under “{section.heading.content}”.",
                    recommendation="Fill the section or take its heading out.",
                    part=Part.STRUCTURE,
                    cost=1,
                    evidence=(section.heading.passage(),),
                    minutes=2,
                )
            )


def _judge_summary(named: dict[str, Section], findings: Findings) -> None:
    summary = named.get("summary")
    if summary is None:
        findings.issues.append(
            Finding(
                id="summary-missing",
                priority="medium",
                category="Structure",
                issue="There is no summary at the top.",
                recommendation="Open with two or three lines: the role you want, years in it, your"
                " two strongest proofs. It is the part that is surely read.",
                part=Part.STRUCTURE,
                cost=4,
            )
        )
        return
    said = " ".join(line.content for line in summary.lines if not line.is_blank)
    if len(words(said)) > _LONG_SUMMARY_WORDS:
        first = next(line for line in summary.lines if not line.is_blank)
        findings.issues.append(
            Finding(
                id="summary-long",
                priority="low",
                category="Structure",
                issue=f"The summary has {len(words(said))} words.",
                recommendation="Cut it to 60 at most; the proofs belong under the jobs.",
                part=Part.STRUCTURE,
                cost=2,
                evidence=(first.passage(),),
            )
        )
    heading = summary.heading
    if heading and "objective" in heading.content.lower():
        findings.issues.append(
            Finding(
                id="objective",
                priority="low",
                category="Structure",
                issue="It opens with an objective.",
                recommendation="Write a summary in its place: what you bring, not what you seek.",
                part=Part.STRUCTURE,
                cost=1.5,
                evidence=(heading.passage(),),
            )
        )


def _judge_order(named: dict[str, Section], years: float | None, findings: Findings) -> None:
    experience, education = named.get("experience"), named.get("education")
    if (
        experience
        and education
        and education.heading
        and (years or 0) >= 3
        and education.first_line < experience.first_line
    ):
        findings.issues.append(
            Finding(
                id="education-first",
                priority="low",
                category="Structure",
                issue=f"Education comes before {years:g} years of experience.",
                recommendation="Put the work first; after a few years it is what readers look for.",
                part=Part.STRUCTURE,
                cost=2,
                evidence=(education.heading.passage(),),
                minutes=3,
            )
        )


def _judge_small_things(
    named: dict[str, Section], statements: tuple[Statement, ...], findings: Findings
) -> None:
    references = named.get("references")
    if references and references.heading:
        findings.issues.append(
            Finding(
                id="references",
                priority="low",
                category="Structure",
                issue="References take up room.",
                recommendation="Take them out, and “available on request” too; you are asked when"
                " they are wanted, and other people's numbers stay private.",
                part=Part.STRUCTURE,
                cost=1,
                evidence=(references.heading.passage(),),
                minutes=1,
            )
        )
    at_work = [one for one in statements if one.section == "experience"]
    if len(at_work) >= 3 and not any(one.bulleted for one in at_work):
        findings.issues.append(
            Finding(
                id="no-bullets",
                priority="medium",
                category="Structure",
                issue="The work experience is written in paragraphs.",
                recommendation="Turn each deed into a bullet point; recruiters skim down the left"
                " edge and read what begins there.",
                part=Part.STRUCTURE,
                cost=4,
                evidence=tuple(one.passage() for one in at_work[:2]),
            )
        )


def _judge_length(text: ResumeText, pages: int | None, findings: Findings) -> None:
    count = text.word_count
    for limit, cost, priority in ((120, 9.0, "high"), (220, 5.0, "medium"), (300, 2.0, "low")):
        if count < limit:
            findings.issues.append(
                Finding(
                    id="too-short",
                    priority=priority,
                    category="Length",
                    issue=f"It has {count} words, which is short.",
                    recommendation="Most good résumés have 350 to 800. Say more on the last two"
                    " jobs: what you did, with what, and what came of it.",
                    part=Part.LENGTH,
                    cost=cost,
                )
            )
            return
    if count > 1000 or (pages or 0) > 2:
        how_long = f"{count} words" + (f" on {pages} pages" if pages else "")
        findings.issues.append(
            Finding(
                id="too-long",
                priority="medium" if count > 1300 or (pages or 0) > 3 else "low",
                category="Length",
                issue=f"It has {how_long}.",
                recommendation="Cut to two pages: keep ten years, shorten what lies before to a"
                " line each.",
                part=Part.LENGTH,
                cost=5.0 if count > 1300 or (pages or 0) > 3 else 3.0,
            )
        )
