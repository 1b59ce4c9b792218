"""How statements begin: with a deed, or with something that hides it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from careerlens.career.analysis.findings import Finding, Findings, Part, Passage, Praise
from careerlens.career.analysis.statements import Statement
from careerlens.career.analysis.vocabulary import WeakOpening, strong_verbs, weak_openings

POINTS = 25
GOOD_SHARE = 0.9
"""The share of strong openings that earns full points."""
_REPEATED = 3
_MAX_REPEATED = 10

_RUN_UP = re.compile(
    r"^(?:(?:successfully|also|then|currently|previously|often|regularly|actively|proactively"
    r"|independently|jointly|consistently|directly|effectively|personally|strategically|quickly"
    r"|i|we|he|she|to|and)\s+)+",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(r"^[^\W\d_]+(?:-[^\W\d_]+)*")
_PASSIVE = re.compile(
    r"\b(?:was|were|been|being)\s+(?:\w+ly\s+)?"
    r"(?!promoted|awarded|selected|recogni|nominated|elected|chosen|named|invited|hired|responsible"
    r"|tasked|involved|headhunted|asked|appointed|ranked|trusted|entrusted|certified|trained)"
    r"(?:\w{2,}ed|built|made|done|given|written|led|run|held|taken|sold|brought|kept|taught)\b",
    re.IGNORECASE,
)
_MIDWAY = re.compile(
    r"\b(?:responsible for|duties included|responsibilities included|tasked with|in charge of)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Weak:
    """A weak, vague or passive wording in one statement. `written` is as it stands there."""

    opening: WeakOpening
    written: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class Verbs:
    """How the statements begin. `strong` and `repeated` map a verb to where it opens one."""

    statements: int
    strong: dict[str, tuple[Passage, ...]]
    weak: tuple[Weak, ...]
    plain: tuple[Statement, ...]
    passive: tuple[Weak, ...]
    repeated: dict[str, tuple[Passage, ...]]

    @property
    def strong_share(self) -> float:
        """The share of statements that open with a strong verb."""
        opened = sum(len(places) for places in self.strong.values())
        return opened / self.statements if self.statements else 0.0


def study(statements: tuple[Statement, ...]) -> Verbs:
    """Sort the statements by how they begin."""
    strong: dict[str, list[Passage]] = defaultdict(list)
    first_words: dict[str, list[Passage]] = defaultdict(list)
    weak: list[Weak] = []
    plain: list[Statement] = []
    passive: list[Weak] = []
    for statement in statements:
        body = _RUN_UP.sub("", statement.text)
        if (found := _weak_opening(statement, body)) is not None:
            weak.append(found)
            continue
        if (match := _PASSIVE.search(statement.text)) is not None:
            passive.append(Weak(_AS_PASSIVE, match.group(), statement))
        word = _FIRST_WORD.match(body)
        if word is None:
            plain.append(statement)
            continue
        verb = word.group().lower()
        if verb in strong_verbs():
            strong[verb].append(statement.passage())
        else:
            plain.append(statement)
        first_words[verb].append(statement.passage())
    counts = Counter({verb: len(places) for verb, places in first_words.items()})
    return Verbs(
        statements=len(statements),
        strong={verb: tuple(places) for verb, places in sorted(strong.items(), key=_most_used)},
        weak=tuple(weak),
        plain=tuple(plain),
        passive=tuple(passive),
        repeated={
            verb: tuple(first_words[verb])
            for verb, count in counts.most_common(_MAX_REPEATED)
            if count >= _REPEATED
        },
    )


_AS_PASSIVE = WeakOpening("passive voice", "passive", ("Begin with what you did yourself",))


def _most_used(entry: tuple[str, list[Passage]]) -> tuple[int, str]:
    return (-len(entry[1]), entry[0])


def _weak_opening(statement: Statement, body: str) -> Weak | None:
    for text in (statement.text, body):
        lowered = text.lower()
        for opening in weak_openings():
            phrase = opening.phrase
            if lowered.startswith(phrase) and not lowered[len(phrase) : len(phrase) + 1].isalnum():
                return Weak(opening, text[: len(phrase)], statement)
    if (match := _MIDWAY.search(statement.text)) is not None:
        phrase = match.group().lower()
        opening = next(one for one in weak_openings() if one.phrase == phrase)
        return Weak(opening, match.group(), statement)
    return None


def judge(verbs: Verbs, findings: Findings) -> None:
    """Findings on weak, passive and repeated openings; praise for variety."""
    if not verbs.statements:
        findings.issues.append(
            Finding(
                id="no-openings",
                priority="low",
                category="Writing",
                issue="There is no statement whose wording could be judged.",
                recommendation="Write bullet points that open with a verb for what you did.",
                part=Part.VERBS,
                cost=POINTS,
            )
        )
        return
    lost = POINTS * (1 - min(1.0, verbs.strong_share / GOOD_SHARE))
    opened = sum(len(places) for places in verbs.strong.values())
    not_strong = max(verbs.statements - opened, 1)
    weak_share = len(verbs.weak) / not_strong
    if verbs.weak:
        findings.issues.append(_weak_openings_finding(verbs, round(lost * weak_share, 2)))
    if len(verbs.plain) >= 3 and lost * (1 - weak_share) > 2:
        findings.issues.append(
            Finding(
                id="plain-openings",
                priority="medium",
                category="Writing",
                issue=f"{len(verbs.plain)} of {verbs.statements} statements do not open with"
                " what you did.",
                recommendation="Open each with a verb for the deed (Built, Reduced, Trained,"
                " Negotiated), then the object, then the result.",
                part=Part.VERBS,
                cost=round(lost * (1 - weak_share), 2),
                evidence=tuple(statement.passage() for statement in verbs.plain[:4]),
            )
        )
    _judge_passive(verbs, findings)
    _judge_repeated(verbs, findings)
    if verbs.strong_share >= GOOD_SHARE and len(verbs.strong) >= 5:
        findings.praise.append(
            Praise(
                title="Statements that begin with deeds",
                detail=f"{opened} of {verbs.statements} open with a strong verb,"
                f" {len(verbs.strong)} different ones.",
                weight=3,
                evidence=tuple(places[0] for places in verbs.strong.values())[:3],
            )
        )


def _weak_openings_finding(verbs: Verbs, cost: float) -> Finding:
    count = len(verbs.weak)
    first = verbs.weak[0]
    return Finding(
        id="weak-openings",
        priority="high" if count >= 4 else "medium",
        category="Writing",
        issue=f"{count} {_plural(count, 'statement opens', 'statements open')} weakly, so the"
        " reader learns of a duty and not of a deed.",
        recommendation=f"Instead of “{first.written}”, open with {_or(first.opening.instead)}.",
        part=Part.VERBS,
        cost=cost,
        evidence=tuple(weak.statement.passage() for weak in verbs.weak[:4]),
    )


def _judge_passive(verbs: Verbs, findings: Findings) -> None:
    if verbs.passive:
        findings.issues.append(
            Finding(
                id="passive-voice",
                priority="low",
                category="Writing",
                issue=f"{len(verbs.passive)}"
                f" {_plural(len(verbs.passive), 'statement', 'statements')} in the passive"
                f" voice {_plural(len(verbs.passive), 'hides', 'hide')} who acted.",
                recommendation="Say what you did: not “reports were prepared” but “Prepared"
                " reports”.",
                part=Part.VERBS,
                cost=float(min(3, len(verbs.passive))),
                evidence=tuple(weak.statement.passage() for weak in verbs.passive[:3]),
            )
        )


def _judge_repeated(verbs: Verbs, findings: Findings) -> None:
    if verbs.repeated:
        named = [f"“{verb}” ({len(places)} times)" for verb, places in verbs.repeated.items()]
        findings.issues.append(
            Finding(
                id="repeated-verbs",
                priority="low",
                category="Writing",
                issue=f"The same word opens many statements: {', '.join(named[:4])}.",
                recommendation="Vary them, and let each say more exactly what you did.",
                part=Part.VERBS,
                cost=min(3.0, 1.5 * len(verbs.repeated)),
                evidence=next(iter(verbs.repeated.values()))[:4],
            )
        )


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _or(choices: tuple[str, ...]) -> str:
    quoted = [f"“{choice}”" for choice in choices]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
