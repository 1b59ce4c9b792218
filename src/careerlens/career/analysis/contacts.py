"""Ways to reach the person, and details that do not belong in a résumé."""

from __future__ import annotations

import re
from dataclasses import dataclass

from careerlens.career.analysis.findings import Finding, Findings, Part, Passage, Praise
from careerlens.career.analysis.sections import HEADER, Section
from careerlens.career.analysis.text import Line, ResumeText

EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}\b")
PHONE = re.compile(r"(?<![\w/.-])(?:\+|\(|00)?\d[\d ().\-/]{6,18}\d(?![\w/])")
LINKEDIN = re.compile(r"\blinkedin\.com/\S+|\blnkd\.in/\S+", re.IGNORECASE)
_LINKEDIN_NAMED = re.compile(
    r"\blinked\s?in\b(?!\s*(?:sales|learning|recruiter|ads|campaign|marketing))", re.IGNORECASE
)
LINK = re.compile(
    r"\b(?:https?://|www\.)\S+|\b(?:github|gitlab|behance|dribbble|medium|kaggle|stackoverflow)"
    r"\.\w{2,10}/\S+|\b[a-z0-9-]{1,63}\.(?:dev|io|me|design|portfolio|example)\b(?:/\S*)?",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b[A-Z][\w.'’]{1,30}(?:[ -][A-Z][\w.'’]{1,30}){0,3},"
    r"\s*(?:[A-Z]{2}\b|[A-Z][a-z]{1,30}(?: [A-Z][a-z]{1,30}){0,2})"
    r"|\b(?:[A-Z]{1,2}\d{1,2}[A-Z]?\s?\d[A-Z]{2})\b|\b[A-Z]{2}\s+\d{5}\b"
    r"|\b(?:address|location|based in|city)\b",
)
_YEARS_ONLY = re.compile(r"^\D*(?:19|20)\d{2}\D+(?:19|20)\d{2}\D*$")
_PERSONAL = re.compile(
    r"\b(?:date of birth|d\.?o\.?b\.?|born on|birthday|marital status|nationality|religion|"
    r"gender|sex|national insurance|social security|ssn|passport n\w*|height|weight)\s*[:.–-]"
    r"|\bage\s*:\s*\d|\b(?:married|single|divorced)\b(?=\s*(?:[,|;.]|$))"
    r"|\b\d{2}\s+years\s+old\b",
    re.IGNORECASE,
)
_CASUAL_MAIL = re.compile(
    r"(?:^|[._\d-])(?:sexy|babe|baby|cutie|partyboy|partygirl|party|gamer|lol|princess|killer|dude"
    r"|beer|crazy|hottie|stoner|swag|ninja|rockstar)\w{0,8}(?=$|[._\d-])",
    re.IGNORECASE,
)
_HEADER_LINES = 15


@dataclass(frozen=True, slots=True)
class Contacts:
    """Where each way to reach the person stands; None where it was not found."""

    email: Passage | None
    phone: Passage | None
    location: Passage | None
    linkedin: Passage | None
    website: Passage | None


def find(text: ResumeText, sections: tuple[Section, ...]) -> Contacts:
    """The first of each kind."""
    top = [
        line
        for section in sections
        if section.name in {HEADER, "contact"}
        for line in section.lines[:_HEADER_LINES]
    ]
    return Contacts(
        email=_first(EMAIL, text.lines),
        phone=_first(PHONE, [*top, *text.lines], accept=_is_phone),
        location=_first(_PLACE, _without_name(top)),
        linkedin=_first(LINKEDIN, text.lines) or _first(_LINKEDIN_NAMED, top),
        website=_first(LINK, text.lines, accept=lambda found: "linkedin" not in found.lower()),
    )


def _without_name(top: list[Line]) -> list[Line]:
    """The lines where a place may stand: "Amara Osei, RN" on the first one is none."""
    said = [line for line in top if not line.is_blank]
    return said if said and re.search(r"[|@\d•·]", said[0].content) else said[1:]


def without_contacts(line: str) -> str:
    """The line with addresses and links blanked out, every other character in its place."""
    for pattern in (EMAIL, LINK):
        line = pattern.sub(lambda match: " " * len(match.group()), line)
    return line


def judge(
    contacts: Contacts, text: ResumeText, findings: Findings, *, wants_link: str | None
) -> None:
    """Findings on missing and unwise details. `wants_link` names a link that the trade expects."""
    _judge_missing(contacts, findings, wants_link)
    _judge_email(contacts, findings)
    _judge_personal(text, findings)
    if contacts.email and contacts.phone and contacts.location and contacts.linkedin:
        findings.praise.append(
            Praise(
                title="Easy to reach",
                detail="E-mail, phone, location and LinkedIn are all where a recruiter looks.",
                weight=1,
                evidence=(contacts.email,),
            )
        )


def _judge_missing(contacts: Contacts, findings: Findings, wants_link: str | None) -> None:
    if contacts.email is None:
        findings.issues.append(
            Finding(
                id="email-missing",
                priority="high",
                category="Contact",
                issue="No e-mail address was found.",
                recommendation="Put a plain e-mail address below your name, in the text itself:"
                " headers, footers and pictures are not read.",
                part=Part.CONTACT,
                cost=4,
                minutes=2,
                action="Add your e-mail address",
            )
        )
    if contacts.phone is None:
        findings.issues.append(
            Finding(
                id="phone-missing",
                priority="high",
                category="Contact",
                issue="No phone number was found.",
                recommendation="Add a number with its country code; many recruiters call first.",
                part=Part.CONTACT,
                cost=3,
                minutes=2,
                action="Add your phone number",
            )
        )
    if contacts.location is None:
        findings.issues.append(
            Finding(
                id="location-missing",
                priority="low",
                category="Contact",
                issue="Your town is not given.",
                recommendation="Add town and state or country. Postings are filtered by place;"
                " a street address is not needed.",
                part=Part.CONTACT,
                cost=1,
                minutes=2,
                action="Add your town and country",
            )
        )
    if contacts.linkedin is None:
        findings.issues.append(
            Finding(
                id="linkedin-missing",
                priority="low",
                category="Contact",
                issue="There is no link to a LinkedIn profile.",
                recommendation="Add its address in short form (linkedin.com/in/your-name), and make"
                " sure that dates and titles there agree with this résumé.",
                part=Part.CONTACT,
                cost=1,
                minutes=3,
                action="Add your LinkedIn address",
            )
        )
    if wants_link and contacts.website is None:
        findings.issues.append(
            Finding(
                id="work-link-missing",
                priority="medium",
                category="Contact",
                issue=f"There is no link to {wants_link}.",
                recommendation=f"Add a link to {wants_link}; in this trade work that can be looked"
                " at says more than any sentence.",
                part=Part.CONTACT,
                cost=1,
                minutes=5,
                action=f"Add a link to {wants_link}",
            )
        )


def _judge_email(contacts: Contacts, findings: Findings) -> None:
    if contacts.email and _CASUAL_MAIL.search(contacts.email.quote.partition("@")[0]):
        findings.issues.append(
            Finding(
                id="email-casual",
                priority="medium",
                category="Contact",
                issue="The e-mail address sounds private.",
                recommendation="Use one made of your first and last name.",
                part=Part.CONTACT,
                cost=1,
                evidence=(contacts.email,),
                minutes=10,
                action="Use an e-mail address made of your name",
            )
        )


def _judge_personal(text: ResumeText, findings: Findings) -> None:
    found = [
        (line, match)
        for line in text.lines
        if (match := _PERSONAL.search(line.content)) is not None
    ]
    if found:
        findings.issues.append(
            Finding(
                id="personal-details",
                priority="medium",
                category="Contact",
                issue="There are personal details that employers must not weigh.",
                recommendation="Take out birth date, age, marital status, religion and numbers of"
                " documents. They invite bias, and some employers discard such résumés unread.",
                part=Part.CONTACT,
                cost=1,
                evidence=tuple(
                    line.passage(match.start(), match.end()) for line, match in found[:3]
                ),
                minutes=2,
                action="Take out the personal details",
            )
        )


def _is_phone(found: str) -> bool:
    digits = sum(character.isdigit() for character in found)
    return 7 <= digits <= 15 and not _YEARS_ONLY.match(found)


def _first(
    pattern: re.Pattern[str],
    lines: list[Line] | tuple[Line, ...],
    accept: object = None,
) -> Passage | None:
    for line in lines:
        for match in pattern.finditer(line.content):
            if not callable(accept) or accept(match.group()):
                return line.passage(match.start(), match.end())
    return None
