"""Dates of jobs: when, in which notation, how long together, and what is missing between."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from careerlens.career.analysis.findings import Finding, Findings, Part, Passage, Praise
from careerlens.career.analysis.sections import HEADER, Section, lines_in
from careerlens.career.analysis.text import Line

GAP_MONTHS = 6
_MONTHS = {name: number for number, names in enumerate(
    ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
     "aug august", "sep sept september", "oct october", "nov november", "dec december"), 1)
    for name in names.split()}  # fmt: skip
_SEASONS = {"winter": 1, "spring": 4, "summer": 7, "autumn": 10, "fall": 10}
_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?" \
         r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|winter|spring|summer|autumn|fall)"  # fmt: skip # noqa: E501
_YEAR = r"(?:19[5-9]\d|20[0-4]\d)"
_POINT = (
    rf"(?:{_MONTH}\.?,?\s*(?:'\d{{2}}\b|{_YEAR})|(?:0?[1-9]|1[0-2])[/.]{_YEAR}"
    rf"|{_YEAR}[-/](?:0[1-9]|1[0-2])\b|{_YEAR})"
)
_NOW = r"(?:present|current|currently|now|today|ongoing|to date|date|till date)"
_TO = r"\s*(?:-|–|—|‐|‑|−|~|to|until|till|through|thru)\s*"
DATE_RANGE = re.compile(rf"\b({_POINT}){_TO}({_POINT}|{_NOW})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Period:
    """A job's time, in months since year 0; `style` is how its dates are written."""

    start: int
    end: int
    is_current: bool
    style: str
    line: Line
    quote: str

    def passage(self) -> Passage:
        """The dates as written."""
        return Passage(self.quote, self.line.number)


def has_date(text: str) -> bool:
    """Whether the text holds a range of dates."""
    return DATE_RANGE.search(text) is not None


def periods(sections: tuple[Section, ...], today: date) -> tuple[Period, ...]:
    """The periods of the work experience, in the order they are written.

    A text without such a section is searched above its first heading.
    """
    now = today.year * 12 + today.month - 1
    found: list[Period] = []
    has_experience = any(section.name == "experience" for section in sections)
    for line in lines_in(sections, "experience" if has_experience else HEADER):
        if line.bullet and len(line.content) > 80:
            continue
        for match in DATE_RANGE.finditer(line.content):
            period = _period(match, line, now)
            if period is not None:
                found.append(period)
    return tuple(found)


def years_together(found: tuple[Period, ...]) -> float | None:
    """Years of experience, overlapping jobs counted once; None without dates."""
    if not found:
        return None
    months, reached = 0, 0
    for period in sorted(found, key=lambda one: one.start):
        start = max(period.start, reached)
        if period.end > start:
            months += period.end - start
            reached = period.end
    return round(months / 12, 1)


def judge(
    sections: tuple[Section, ...], found: tuple[Period, ...], today: date, findings: Findings
) -> None:
    """Findings on missing, impossible and mixed dates, gaps and order."""
    experience = [section for section in sections if section.name == "experience"]
    if not experience:
        findings.issues.append(
            Finding(
                id="dates-missing",
                priority="medium",
                category="Dates",
                issue="No dated work experience was found.",
                recommendation="List your jobs, internships or placements with start and end, each"
                " as month and year.",
                part=Part.DATES,
                cost=8,
            )
        )
        return
    if not found:
        findings.issues.append(_no_dates(experience[0]))
        return
    _judge_impossible(found, today, findings)
    _judge_styles(found, findings)
    _judge_gaps(found, findings)
    _judge_order(found, findings)
    _praise_steadiness(found, findings)


def _no_dates(section: Section) -> Finding:
    heading = section.heading
    return Finding(
        id="dates-missing",
        priority="high",
        category="Dates",
        issue="No job in your work experience has dates.",
        recommendation="Give each job its start and end as month and year, for example"
        " “Mar 2021 – Present”. Recruiters and tracking systems count years from them.",
        part=Part.DATES,
        cost=8,
        evidence=(heading.passage(),) if heading else (),
        minutes=10,
        action="Add start and end dates to every job",
    )


def _judge_impossible(found: tuple[Period, ...], today: date, findings: Findings) -> None:
    now = today.year * 12 + today.month - 1
    turned = [period for period in found if period.end < period.start]
    future = [period for period in found if period.start > now]
    for wrong, what in ((turned, "ends before it begins"), (future, "lies in the future")):
        if wrong:
            findings.issues.append(
                Finding(
                    id="dates-impossible",
                    priority="high",
                    category="Dates",
                    issue=f"A period {what}.",
                    recommendation="Correct the dates; one impossible date casts doubt on all.",
                    part=Part.DATES,
                    cost=4,
                    evidence=tuple(period.passage() for period in wrong[:3]),
                    minutes=5,
                    action="Correct the impossible dates",
                )
            )


def _judge_styles(found: tuple[Period, ...], findings: Findings) -> None:
    styles = {period.style for period in found}
    if styles & {"month", "short month"}:
        styles -= {"may"}
    if len(styles) > 1:
        one_of_each = {period.style: period for period in found if period.style in styles}
        findings.issues.append(
            Finding(
                id="dates-mixed",
                priority="low",
                category="Dates",
                issue=f"Dates are written in {len(styles)} different ways.",
                recommendation="Write all dates alike, best as short month and year: “Mar 2021”.",
                part=Part.DATES,
                cost=2,
                evidence=tuple(period.passage() for period in one_of_each.values())[:4],
                minutes=5,
                action="Write all dates the same way",
            )
        )
    elif styles == {"year"} and len(found) > 1:
        findings.issues.append(
            Finding(
                id="dates-without-months",
                priority="low",
                category="Dates",
                issue="Your jobs are dated by year alone.",
                recommendation="Add the months: “2019 – 2020” can mean two months or two years,"
                " and careful readers assume the shorter.",
                part=Part.DATES,
                cost=1.5,
                evidence=tuple(period.passage() for period in found[:3]),
                minutes=5,
                action="Add months to the dates of your jobs",
            )
        )


def _judge_gaps(found: tuple[Period, ...], findings: Findings) -> None:
    by_start = sorted(found, key=lambda period: period.start)
    reached, before = by_start[0].end, by_start[0]
    for period in by_start[1:]:
        # Years without months leave up to a year open on either side.
        slack = 12 if "year" in {period.style, before.style} else 0
        gap = period.start - reached - slack
        if gap > GAP_MONTHS:
            findings.issues.append(
                Finding(
                    id="career-gap",
                    priority="medium",
                    category="Dates",
                    issue=f"About {gap} months lie between two jobs.",
                    recommendation="Say in one line what filled them (study, family, health,"
                    " travel, own projects). An unexplained gap is asked about, or guessed at.",
                    part=Part.DATES,
                    cost=1.5,
                    evidence=(before.passage(), period.passage()),
                )
            )
        if period.end > reached:
            reached, before = period.end, period


def _judge_order(found: tuple[Period, ...], findings: Findings) -> None:
    ends = [period.end for period in found]
    if len(ends) > 1 and ends == sorted(ends) and ends[0] < ends[-1]:
        findings.issues.append(
            Finding(
                id="oldest-job-first",
                priority="medium",
                category="Structure",
                issue="Your oldest job comes first.",
                recommendation="Begin with your present or latest job. Readers spend seconds on"
                " the first one, and many parsers take it for your current position.",
                part=Part.DATES,
                cost=2,
                evidence=(found[0].passage(), found[-1].passage()),
                minutes=10,
                action="Put your latest job first",
            )
        )


def _praise_steadiness(found: tuple[Period, ...], findings: Findings) -> None:
    years = years_together(found)
    lost = findings.lost(Part.DATES)
    if years and years >= 2 and not lost:
        findings.praise.append(
            Praise(
                title="A clear timeline",
                detail=f"{years:g} years of experience, dated alike and without gaps.",
                weight=2,
                evidence=tuple(period.passage() for period in found[:3]),
            )
        )


def _period(match: re.Match[str], line: Line, now: int) -> Period | None:
    start = _month_of(match.group(1), is_end=False)
    is_current = re.fullmatch(_NOW, match.group(2), re.IGNORECASE) is not None
    end = now + 1 if is_current else _month_of(match.group(2), is_end=True)
    if start is None or end is None:
        return None
    return Period(start, end, is_current, _style(match.group(1)), line, match.group(0).strip())


def _month_of(written: str, *, is_end: bool) -> int | None:
    """Months since year 0. An end counts to the end of its month, or of its year."""
    text = written.lower().strip()
    year = re.search(_YEAR, text)
    short = re.search(r"'(\d{2})\b", text)
    if year is None and short is None:
        return None
    number = int(year.group()) if year else _century(int(short.group(1)) if short else 0)
    name = re.match(r"[a-z]+", text)
    if name:
        month = _MONTHS.get(name.group()) or _SEASONS.get(name.group(), 1)
        return number * 12 + month - 1 + int(is_end)
    rest = re.sub(_YEAR, "", text, count=1)
    digits = re.search(r"\d{1,2}", rest)
    if digits:
        return number * 12 + int(digits.group()) - 1 + int(is_end)
    return number * 12 + (12 if is_end else 0)


def _century(two_digits: int) -> int:
    return 2000 + two_digits if two_digits < 50 else 1900 + two_digits


def _style(written: str) -> str:
    if re.match(_MONTH, written, re.IGNORECASE):
        name = re.match(r"[A-Za-z]+", written)
        assert name is not None
        month = name.group().lower()
        # "May" is its own short form.
        if month == "may":
            return month
        return "short month" if len(month) == 3 or month == "sept" else "month"
    return "year" if re.fullmatch(_YEAR, written) else "number"
