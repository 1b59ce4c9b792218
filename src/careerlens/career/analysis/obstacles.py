"""What keeps a tracking system from reading the résumé as its author sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from careerlens.career.analysis.findings import Finding, Findings, Part, Passage, Praise
from careerlens.career.analysis.sections import Section
from careerlens.career.analysis.statements import Statement
from careerlens.career.analysis.text import CleanText, Line, ResumeText, has_private_glyph
from careerlens.career.document import Layout

POINTS = 25
_LONG_PARAGRAPH_WORDS = 80

_COLUMN_GAP = re.compile(r"\S {4,}\S|\S\t+\s*\S")
_BOX = re.compile(r"[\u2500-\u257f]|^\s*\+[-=+]{4,}|^\s*\|.*\|.*\|\s*$")
_GARBLED = re.compile(r"\ufffd|â€|Ã[\u0080-\u00bf©¨±³¼¶¤ ]|Â[\u00a0-\u00bf]|\(cid:\d+\)")
_RATING = re.compile(r"[●•■★✭⬤◆▮█]{2,}\s?[○◦□☆✩◯◇▯░▒]{1,}|[★⭐✭]{3,}|[█▓▒░]{3,}")
_SHARE_RATING = re.compile(r"^[\w .+#/-]{2,30}[\s:–-]+\d{1,3}\s?%$")
_EMOJI = re.compile(
    "[\U0001f300-\U0001faff\u2600-\u2604\u260e\u2709\u270f\u2712\u2706\U0001f4de\u23f0\u2b50]"
)
_ODD_BULLETS = "➢➤►▶✓✔★☆❖♦◆◇→⇒»›✦✪■□▪▫"
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget)\s+(?:all|any|the|your|previous|prior|above|every)\b[^.\n]{0,60}"
    r"\b(?:instructions?|prompts?|rules|guidelines)\b"
    r"|\byou are (?:an?|the) (?:ai|llm|language model|assistant|evaluator|recruiter bot)\b"
    r"|\b(?:score|rate|rank|grade) (?:this|the|my) (?:candidate|resume|résumé|cv|applicant)\b"
    r"|\b(?:give|assign|return|output)\b[^.\n]{0,40}\b(?:score|rating)\b[^.\n]{0,20}\b(?:100|10/10)\b"
    r"|\bsystem prompt\b|\bas an ai\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line-by-line rule: it fires when `least` lines or more match."""

    id: str
    matches: Callable[[Line], re.Match[str] | bool | None]
    least: int
    priority: str
    cost: float
    minutes: int | None
    issue: str
    recommendation: str
    action: str


def judge(
    text: ResumeText,
    cleaned: CleanText,
    layout: Layout,
    sections: tuple[Section, ...],
    statements: tuple[Statement, ...],
    findings: Findings,
) -> None:
    """Findings on everything that programs misread, and on text meant for programs only."""
    before = len(findings.issues)
    for rule in _RULES:
        found = [line for line in text.lines if not line.is_blank and rule.matches(line)]
        if len(found) >= rule.least:
            findings.issues.append(
                _finding(rule, tuple(line.passage() for line in found[:3]), len(found))
            )
    _judge_layout(layout, findings)
    _judge_hidden(cleaned, layout, text, findings)
    _judge_instructions(text, findings)
    _judge_headings(sections, findings)
    _judge_walls(statements, findings)
    if len(findings.issues) == before:
        findings.praise.append(
            Praise(
                title="Machines can read it",
                detail="Plain text in one column, ordinary bullets, nothing hidden.",
                weight=2,
            )
        )


def _finding(rule: _Rule, evidence: tuple[Passage, ...], count: int) -> Finding:
    return Finding(
        id=rule.id,
        priority=rule.priority,
        category="ATS",
        issue=rule.issue.format(count=count),
        recommendation=rule.recommendation,
        part=Part.PARSING,
        cost=rule.cost,
        evidence=evidence,
        minutes=rule.minutes,
        action=rule.action,
    )


def _judge_layout(layout: Layout, findings: Findings) -> None:
    for present, one in (
        (
            layout.tables > 0,
            _Rule(
                "table", bool, 1, "medium", 5, 30,
                "The document lays text out in a table.",
                "Move its text into ordinary lines; many systems read cells in the wrong order or"
                " not at all.",
                "Move the text out of the table",
            ),
        ),
        (
            layout.columns > 1,
            _Rule(
                "columns", bool, 1, "medium", 5, 30,
                "The page is set in several columns.",
                "Use one column. Systems that read straight across mix the columns line by line.",
                "Set the page in one column",
            ),
        ),
        (
            layout.text_boxes > 0,
            _Rule(
                "text-box", bool, 1, "high", 6, 20,
                "Some text stands in text boxes.",
                "Move it into the body; most systems skip text boxes.",
                "Move text boxes into the body",
            ),
        ),
        (
            layout.header_footer_text,
            _Rule(
                "header-footer", bool, 1, "medium", 3, 5,
                "Some text stands in the header or footer of the page.",
                "Move it into the body, contact details above all: many systems skip both.",
                "Move header and footer text into the body",
            ),
        ),
        (
            layout.images > 0,
            _Rule(
                "image", bool, 1, "low", 2, 5,
                "The document holds a picture.",
                "Leave out photos, logos and charts. Systems do not read them, and in many"
                " countries employers may not look at a photo.",
                "Take out the pictures",
            ),
        ),
    ):  # fmt: skip
        if present:
            findings.issues.append(_finding(one, (), 1))


def _judge_hidden(cleaned: CleanText, layout: Layout, text: ResumeText, findings: Findings) -> None:
    if not (layout.hidden_text or cleaned.hidden_message or cleaned.hidden_characters > 3):
        return
    evidence = _where(text, layout.hidden_text)
    findings.issues.append(
        Finding(
            id="hidden-text",
            priority="high",
            category="Honesty",
            issue="There is text that people cannot see: white, tiny or made of invisible"
            " characters.",
            recommendation="Take it out. Screening systems show the plain text to recruiters, so it"
            " is found, and it ends an application.",
            part=Part.PARSING,
            cost=8,
            evidence=evidence,
            minutes=10,
            action="Take out the hidden text",
        )
    )


def _where(text: ResumeText, passages: Iterable[str]) -> tuple[Passage, ...]:
    """Where the hidden passages stand in the text as read."""
    found = []
    for passage in passages:
        needle = " ".join(passage.split())[:60]
        for line in text.lines:
            if needle and needle in line.content:
                found.append(line.passage(line.content.index(needle)))
                break
    return tuple(found[:3])


def _judge_instructions(text: ResumeText, findings: Findings) -> None:
    found = [
        (line, match)
        for line in text.lines
        if (match := _INSTRUCTION.search(line.content)) is not None
    ]
    if found:
        findings.issues.append(
            Finding(
                id="instructions-to-machines",
                priority="high",
                category="Honesty",
                issue="A passage gives orders to screening software.",
                recommendation="Take it out. It had no effect on this report; recruiters who see it"
                " stop reading.",
                part=Part.PARSING,
                cost=8,
                evidence=tuple(
                    line.passage(match.start(), match.end()) for line, match in found[:3]
                ),
                minutes=2,
                action="Take out the orders to screening software",
            )
        )


def _judge_headings(sections: tuple[Section, ...], findings: Findings) -> None:
    spaced = [section for section in sections if section.letter_spaced and section.heading]
    misspelt = [section for section in sections if section.typo and section.heading]
    if spaced:
        findings.issues.append(
            Finding(
                id="spaced-headings",
                priority="medium",
                category="ATS",
                issue="Headings are written with spaces between the letters.",
                recommendation="Write the word and set its spacing in the word processor; programs"
                " see single letters and miss the section.",
                part=Part.PARSING,
                cost=3,
                evidence=tuple(s.heading.passage() for s in spaced if s.heading)[:3],
                minutes=5,
                action="Close up the letter-spaced headings",
            )
        )
    if misspelt:
        right = ", ".join(dict.fromkeys(f"“{section.typo}”" for section in misspelt[:3]))
        findings.issues.append(
            Finding(
                id="misspelt-headings",
                priority="high",
                category="ATS",
                issue=f"A heading is misspelt; it should read {right}.",
                recommendation="Correct it. Parsers look for the right word, and people for less.",
                part=Part.PARSING,
                cost=3,
                evidence=tuple(s.heading.passage() for s in misspelt if s.heading)[:3],
                minutes=1,
                action="Correct the misspelt heading",
            )
        )


def _judge_walls(statements: tuple[Statement, ...], findings: Findings) -> None:
    walls = [one for one in statements if len(one.words) >= _LONG_PARAGRAPH_WORDS]
    if walls:
        findings.issues.append(
            Finding(
                id="walls-of-text",
                priority="medium",
                category="ATS",
                issue=f"{len(walls)} {'passage runs' if len(walls) == 1 else 'passages run'} to"
                f" {_LONG_PARAGRAPH_WORDS} words or more.",
                recommendation="Cut it into bullet points of one or two lines, one deed each.",
                part=Part.PARSING,
                cost=3,
                evidence=tuple(one.passage() for one in walls[:3]),
            )
        )


def _is_shouting(line: Line) -> bool:
    letters = [character for character in line.content if character.isalpha()]
    return len(line.content.split()) >= 6 and len(letters) > 25 and line.content.isupper()


def _has_rating(line: Line) -> bool:
    return bool(_RATING.search(line.content) or _SHARE_RATING.match(line.content))


def _has_columns(line: Line) -> bool:
    return _COLUMN_GAP.search(line.content) is not None


_RULES = (
    _Rule(
        "columns-in-text", _has_columns, 4, "medium", 4, 20,
        "{count} lines are spaced out into columns.",
        "Put each thing on a line of its own; systems read straight across and join what does not"
        " belong together.",
        "Turn the columns into plain lines",
    ),
    _Rule(
        "drawn-table", lambda line: _BOX.search(line.text), 2, "medium", 5, 20,
        "Lines and boxes are drawn with characters.",
        "Take the drawing out and leave the words; programs read it as garbage.",
        "Take out the drawn boxes",
    ),
    _Rule(
        "garbled", lambda line: _GARBLED.search(line.text), 1, "high", 5, 10,
        "{count} lines hold garbled characters.",
        "Save the file again as UTF-8, or export it afresh from the original, and read it through.",
        "Repair the garbled characters",
    ),
    _Rule(
        "ratings", _has_rating, 1, "medium", 3, 10,
        "Skills are rated by stars, dots or percent.",
        "Say it in words (“four years, daily”): programs drop the signs, and nobody knows what"
        " four of five dots mean.",
        "Replace the skill ratings by words",
    ),
    _Rule(
        "icons", lambda line: _EMOJI.search(line.text), 1, "low", 1.5, 5,
        "{count} lines carry icons or emoji.",
        "Write “Phone” or nothing in their place; icons become question marks or boxes.",
        "Take out icons and emoji",
    ),
    _Rule(
        "odd-bullets",
        lambda line: (line.bullet in _ODD_BULLETS if line.bullet else False), 2, "low", 2, 5,
        "{count} bullets are unusual signs.",
        "Use plain round bullets or hyphens; others are turned into letters or question marks.",
        "Use plain bullets",
    ),
    _Rule(
        "symbol-font", lambda line: has_private_glyph(line.text), 1, "medium", 2.5, 10,
        "{count} lines use signs of a symbol font.",
        "Replace them by plain bullets or words: elsewhere they show as empty boxes.",
        "Replace symbol-font signs",
    ),
    _Rule(
        "capitals", _is_shouting, 2, "low", 1.5, 10,
        "{count} whole lines are in capitals.",
        "Keep capitals for short headings; sentences in capitals are slow to read.",
        "Write sentences in normal letters",
    ),
)  # fmt: skip
