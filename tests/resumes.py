"""Résumés and a short way to have them judged, for the tests of the career part."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from careerlens.career.analysis.engine import analyse
from careerlens.career.document import Layout, ReadDocument
from careerlens.career.market.store import shipped_market
from careerlens.career.report import ImprovementArea, ResumeReport

EXAMPLES = Path(__file__).parent.parent / "examples"
TODAY = date(2025, 11, 20)

DEVELOPER = """\
Ines Moreau
Lyon, France | ines.moreau@example.com | +33 4 72 00 00 00 | linkedin.com/in/ines-example
github.com/ines-example

SUMMARY
Backend-minded full stack developer with 8 years in web products, lately in React and Node.js.

EXPERIENCE

Full Stack Developer, Quayside Labs, Lyon
Jan 2020 - Present
- Built a booking service in Node.js and PostgreSQL that handles 900 orders a day.
- Reduced page load from 3.2 to 1.1 seconds with React code splitting.
- Led the migration of 40 services to Docker, cutting deployments from 50 to 12 minutes.
- Mentored 4 junior developers in TypeScript.

Web Developer, Petit Atelier, Lyon
Mar 2017 - Dec 2019
- Developed 25 shop fronts in JavaScript, HTML and CSS for local businesses.
- Automated invoices in Python, saving 10 hours a week.
- Designed REST APIs used by 6 partner companies.

EDUCATION
BSc Computer Science, University of Lyon, 2013 - 2016

SKILLS
JavaScript, TypeScript, React, Node.js, PostgreSQL, Docker, Git, REST, Agile, HTML, CSS, Python
"""


def judge(
    text: str,
    role: str = "Full Stack Developer",
    *,
    layout: Layout | None = None,
    pages: int | None = None,
) -> ResumeReport:
    """The report on a plain text."""
    document = ReadDocument(text=text, format="text", pages=pages, layout=layout or Layout())
    return analyse(document, shipped_market().view(role), TODAY)


def issue(report: ResumeReport, issue_id: str) -> ImprovementArea | None:
    """The improvement with this id, if the report has it."""
    return next((area for area in report.improvement_areas if area.id == issue_id), None)


def keywords(report: ResumeReport) -> set[str]:
    """The role's keywords that were found."""
    return {entry.keyword for entry in report.keyword_analysis.matched}
