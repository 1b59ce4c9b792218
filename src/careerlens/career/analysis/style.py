"""How it reads: empty claims, slips, long sentences, mixed spelling, first person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from careerlens.career.analysis.findings import Finding, Findings, Part, Passage, Praise
from careerlens.career.analysis.statements import Statement
from careerlens.career.analysis.text import Line, ResumeText, words
from careerlens.career.analysis.vocabulary import (
    buzzwords,
    misspellings,
    spelling_pairs,
    word_set,
)

POINTS = 20
_LONG_STATEMENT_WORDS = 40
_LONG_AVERAGE_WORDS = 28.0

_LETTERS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")
_PERSON = re.compile(r"\b(?:I|I'm|I’m|I've|I’ve|[Mm]y|me|myself|mine)\b")
_VAGUE = re.compile(
    r"\b(?:various|several|many|numerous|a lot of|lots of|etc|and so on|things|stuff|multiple)"
    r"\b\.?",
    re.IGNORECASE,
)
_MIN_COMMON_SHARE = 0.04
_FEW_WORDS = 60


@dataclass(frozen=True, slots=True)
class Style:
    """Facts about the writing. `spelling` is british, american, mixed or unknown."""

    spelling: str
    words_per_sentence: float
    is_english: bool


def study(text: ResumeText, statements: tuple[Statement, ...]) -> Style:
    """Measure the writing."""
    british, american = _spelling_places(text)
    if british and american:
        spelling = "mixed"
    else:
        spelling = "british" if british else "american" if american else "unknown"
    lengths = [len(statement.words) for statement in statements]
    return Style(
        spelling=spelling,
        words_per_sentence=round(sum(lengths) / len(lengths), 1) if lengths else 0.0,
        is_english=_is_english(text),
    )


def judge(
    style: Style, text: ResumeText, statements: tuple[Statement, ...], findings: Findings
) -> None:
    """Findings on the writing."""
    if not style.is_english:
        findings.issues.append(
            Finding(
                id="language",
                priority="medium",
                category="Writing",
                issue="The text does not look like English.",
                recommendation="The rules on wording know English only, so take that part of the"
                " report with care. For English postings, hand in an English résumé.",
                part=Part.CLARITY,
            )
        )
        return
    _judge_buzzwords(text, findings)
    _judge_misspellings(text, findings)
    _judge_person(text, statements, findings)
    _judge_vagueness(statements, findings)
    _judge_length(style, statements, findings)
    _judge_spelling(style, text, findings)
    if not findings.lost(Part.CLARITY) and len(statements) >= 5:
        findings.praise.append(
            Praise(
                title="Clear writing",
                detail=f"Sentences of {style.words_per_sentence:g} words on average, no slips and"
                " no empty claims.",
                weight=1.5,
                evidence=(statements[0].passage(),),
            )
        )


def _judge_buzzwords(text: ResumeText, findings: Findings) -> None:
    found = list(_phrases(text, buzzwords()))
    if found:
        findings.issues.append(
            Finding(
                id="buzzwords",
                priority="medium" if len(found) >= 3 else "low",
                category="Writing",
                issue=f"{len(found)} empty {'claim' if len(found) == 1 else 'claims'}:"
                f" {', '.join(dict.fromkeys(f'“{phrase}”' for phrase, _ in found[:6]))}.",
                recommendation="Cut them, or put a deed in their place that lets the reader"
                " conclude as much.",
                part=Part.CLARITY,
                cost=float(min(5, len(found))),
                evidence=tuple({passage.line: passage for _, passage in found}.values())[:4],
                minutes=10,
            )
        )


def _judge_misspellings(text: ResumeText, findings: Findings) -> None:
    known = misspellings()
    found = [
        (known[match.group().lower()], match.group(), line, match)
        for line in text.lines
        for match in _LETTERS.finditer(line.content)
        if match.group().lower() in known
    ]
    if found:
        pairs = dict.fromkeys(f"“{wrong}” → “{right}”" for right, wrong, _, _ in found)
        findings.issues.append(
            Finding(
                id="misspellings",
                priority="high" if len(found) > 1 else "medium",
                category="Writing",
                issue=f"Spelling slips: {', '.join(list(pairs)[:6])}.",
                recommendation="Correct them and run a spelling check; for many recruiters one slip"
                " is enough to put a résumé away.",
                part=Part.CLARITY,
                cost=float(min(8, 2 * len(found))),
                evidence=tuple(_around(line, match) for _, _, line, match in found[:4]),
                minutes=5,
            )
        )


def _judge_person(text: ResumeText, statements: tuple[Statement, ...], findings: Findings) -> None:
    found = [one for one in statements if _PERSON.search(one.text)]
    if len(found) >= 2:
        findings.issues.append(
            Finding(
                id="first-person",
                priority="low",
                category="Writing",
                issue=f"{len(found)} statements speak in the first person.",
                recommendation="Leave out “I” and “my”; begin with the verb.",
                part=Part.CLARITY,
                cost=2,
                evidence=tuple(one.passage() for one in found[:3]),
            )
        )


def _judge_vagueness(statements: tuple[Statement, ...], findings: Findings) -> None:
    found = [(one, match) for one in statements if (match := _VAGUE.search(one.text))]
    if len(found) >= 2:
        said = list(dict.fromkeys(f"“{match.group().strip('.').lower()}”" for _, match in found))
        findings.issues.append(
            Finding(
                id="vague-amounts",
                priority="medium" if len(found) >= 4 else "low",
                category="Writing",
                issue=f"{len(found)} statements stay vague: {', '.join(said[:5])}.",
                recommendation="Say which ones, or how many.",
                part=Part.CLARITY,
                cost=float(min(4, len(found))),
                evidence=tuple(one.passage() for one, _ in found[:3]),
            )
        )


def _judge_length(style: Style, statements: tuple[Statement, ...], findings: Findings) -> None:
    long = [one for one in statements if len(one.words) > _LONG_STATEMENT_WORDS]
    if long:
        findings.issues.append(
            Finding(
                id="long-statements",
                priority="medium" if len(long) >= 3 else "low",
                category="Writing",
                issue=f"{len(long)} {'statement has' if len(long) == 1 else 'statements have'} more"
                f" than {_LONG_STATEMENT_WORDS} words.",
                recommendation="Cut each to one deed and one result, two lines at most.",
                part=Part.CLARITY,
                cost=float(min(4, len(long))),
                evidence=tuple(one.passage() for one in long[:3]),
            )
        )
    elif style.words_per_sentence > _LONG_AVERAGE_WORDS:
        findings.issues.append(
            Finding(
                id="long-sentences",
                priority="low",
                category="Writing",
                issue=f"Statements have {style.words_per_sentence:g} words on average.",
                recommendation="Aim at 12 to 22; readers skim.",
                part=Part.CLARITY,
                cost=2,
            )
        )


def _judge_spelling(style: Style, text: ResumeText, findings: Findings) -> None:
    if style.spelling == "mixed":
        british, american = _spelling_places(text)
        findings.issues.append(
            Finding(
                id="mixed-spelling",
                priority="low",
                category="Writing",
                issue="British and American spelling are mixed.",
                recommendation="Choose the one of the country where you apply.",
                part=Part.CLARITY,
                cost=1.5,
                evidence=(british[0], american[0]),
                minutes=5,
            )
        )


def _spelling_places(text: ResumeText) -> tuple[list[Passage], list[Passage]]:
    """Words in British and in American spelling, as passages."""
    british: list[Passage] = []
    american: list[Passage] = []
    for line in text.lines:
        # Names of places and firms keep their own spelling ("Lincoln Center").
        for match in _LETTERS.finditer(line.content):
            word = match.group()
            side = _side_of(word.lower()) if word.islower() else None
            if side:
                (british if side == "british" else american).append(_around(line, match))
    return british, american


def _side_of(word: str) -> str | None:
    # Equally long stems differ inside; of others, the longer one must be tried first.
    for in_british, in_american in spelling_pairs():
        first, second = (in_british, "british"), (in_american, "american")
        ordered = (first, second) if len(in_british) >= len(in_american) else (second, first)
        for stem, side in ordered:
            if word.startswith(stem):
                return None if word in word_set("both_spellings") else side
    return None


def _is_english(text: ResumeText) -> bool:
    counted = Counter(word.lower() for word in words(text.text))
    total = sum(counted.values())
    common = sum(counted[word] for word in word_set("common_words"))
    return total < _FEW_WORDS or common / total >= _MIN_COMMON_SHARE


def _phrases(text: ResumeText, phrases: tuple[str, ...]) -> Iterator[tuple[str, Passage]]:
    pattern = re.compile(rf"\b(?:{'|'.join(re.escape(phrase) for phrase in phrases)})\b", re.I)
    for line in text.lines:
        for match in pattern.finditer(line.content):
            yield match.group().lower(), _around(line, match)


def _around(line: Line, match: re.Match[str]) -> Passage:
    """The match with some words on either side."""
    start = line.content.rfind(" ", 0, max(match.start() - 30, 0)) + 1
    end = line.content.find(" ", min(match.end() + 40, len(line.content)))
    return line.passage(start, end if end != -1 else None)
