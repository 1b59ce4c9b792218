"""Figures: whether statements show how much, how many, how fast."""

from __future__ import annotations

import re

from careerlens.career.analysis.findings import Finding, Findings, Part, Passage, Praise
from careerlens.career.analysis.statements import Statement
from careerlens.career.analysis.vocabulary import strong_verbs

POINTS = 30
GOOD_SHARE = 0.75
"""The share of statements with a figure that earns full points."""

_NUMBER = re.compile(r"(?<![\w.])(?P<money>[$€£¥₹]\s?)?(?P<number>\d[\d,.]*\d|\d)(?P<rest>\S{0,8})")
_LOOK_BACK = 20
_YEAR = re.compile(r"(?:19[5-9]|20[0-4])\d")
_NAME_BEFORE = re.compile(
    r"\b(?:iso|python|java|javascript|es|angular|php|html|css|\.net|windows|office|level|grade|year|"
    r"phase|section|form|ifrs|frs|part|class|unit|room|version|v|stage|key stage|tier|step|type|"
    r"asme|ieee|soc|pci|ipv|oracle|vue|spring|ruby|web|industry|covid|ks|chapter|title|article|"
    r"page|no|number|nist|rule|ios|android|since|in|until|by|from|of)[\s.-]*$",
    re.IGNORECASE,
)
_MONTH_BEFORE = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*\.?\s*$", re.I)
_IN_WORDS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty"
    r"|fifty|sixty|hundred|thousand|million|dozens?|hundreds|thousands|millions|double[ds]?|"
    r"tripled?|halved|quadrupled?|twice|half|a third|a quarter)\b",
    re.IGNORECASE,
)
_TELLING = re.compile(
    r"[%$€£]|\bper\s?cent\b|\b(?:million|thousand|billion|doubled|halved)\b", re.I
)


def has_figure(text: str) -> bool:
    """Whether a statement says how much: a quantity, not a year, a version or a standard."""
    if _IN_WORDS.search(text):
        return True
    return any(_is_quantity(match, text) for match in _NUMBER.finditer(text))


def _is_quantity(match: re.Match[str], text: str) -> bool:
    if match.group("money"):
        return True
    number, rest = match.group("number").strip(), match.group("rest")
    if rest.startswith(("%", "x", "k", "K", "m", "M", "+", "bn")) and not rest.startswith("+/"):
        return True
    before = text[max(match.start() - _LOOK_BACK, 0) : match.start()]
    if _YEAR.fullmatch(number) and not rest.startswith(","):
        return False
    if _MONTH_BEFORE.search(before) or (number == "24" and rest.startswith("/7")):
        return False
    named = _NAME_BEFORE.search(before)
    return named is None or named.group().strip().lower() in {"by", "from", "of", "in"}


def judge(statements: tuple[Statement, ...], findings: Findings) -> int:
    """Findings on missing figures; returns how many statements have one."""
    if not statements:
        findings.issues.append(
            Finding(
                id="no-statements",
                priority="high",
                category="Impact",
                issue="No statement of what you did was found.",
                recommendation="Under each job, write three to six bullet points: what you did,"
                " with what, and what came of it.",
                part=Part.IMPACT,
                cost=POINTS,
            )
        )
        return 0
    measured = [statement for statement in statements if has_figure(statement.text)]
    share = len(measured) / len(statements)
    if share < GOOD_SHARE:
        findings.issues.append(_few_figures(statements, measured, share))
    if measured:
        _praise_results(measured, len(statements), findings)
    return len(measured)


def _few_figures(
    statements: tuple[Statement, ...], measured: list[Statement], share: float
) -> Finding:
    silent = [statement for statement in statements if statement not in measured]
    # Those that already open with a deed need nothing but the figure.
    silent.sort(key=lambda one: one.words[0].lower() not in strong_verbs())
    return Finding(
        id="few-figures",
        priority="high" if share < GOOD_SHARE / 2 else "medium",
        category="Impact",
        issue=f"{len(measured)} of {len(statements)} statements say how much or how many.",
        recommendation="Add a figure to these: how many, how often, how much time or money, from"
        " what to what. An honest estimate (“about 30 a week”) is better than none.",
        part=Part.IMPACT,
        cost=round(POINTS * (1 - share / GOOD_SHARE), 2),
        evidence=tuple(statement.passage() for statement in silent[:4]),
    )


def _praise_results(measured: list[Statement], total: int, findings: Findings) -> None:
    best = sorted(measured, key=lambda one: (_TELLING.search(one.text) is None, one.line.number))
    evidence: tuple[Passage, ...] = tuple(statement.passage() for statement in best[:3])
    count = len(measured)
    findings.praise.append(
        Praise(
            title="Results with figures" if count > 1 else "A result with a figure",
            detail=f"{count} of {total} {'statement says' if total == 1 else 'statements say'} how"
            f" much{', more than most résumés do' if count / total >= GOOD_SHARE else ''}.",
            weight=4 if count / total >= GOOD_SHARE else 2.5,
            evidence=evidence,
        )
    )
