"""What a finished job gave, laid out for reading.

The report of a résumé has a layout of its own; every other result is printed as an outline. The
result comes over the wire and its shape may grow, so a part that is missing is left out and one
that is new, or not as expected, is outlined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from careerlens.cli.outline import columns, gauge, is_empty, number, outline, phrase
from careerlens.cli.report_parts import (
    action_verbs,
    document,
    findings,
    keywords,
    quick_wins,
    score_parts,
    sections,
    skill_gaps,
    strengths,
)
from careerlens.cli.text import in_words

_GAUGE_WIDTH = 32
_MAX_WIDTH = 110
_IN_HEADLINE = {"atsScore", "overallQuality", "targetRole"}

Json = Any


def print_result(console: Console, job_type: str, result: Json) -> None:
    """Print the result of a completed job."""
    console.width = min(console.width, _MAX_WIDTH)
    if isinstance(result, Mapping) and "atsScore" in result:
        _print_resume_report(console, result)
    elif result is not None:
        console.print(Rule(Text(in_words(job_type.replace("-", "_"))), align="left"))
        console.print(outline(result))


def _print_resume_report(console: Console, report: Mapping[str, Json]) -> None:
    console.print(_headline(report))
    known = {key for key, _, _ in _SECTIONS} | _IN_HEADLINE | {"engine"}
    news = [(key, in_words(key), outline) for key in report if key not in known]
    for key, title, lay_out in (*_SECTIONS, *news):
        if not is_empty(report.get(key)):
            console.print()
            console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
            console.print(Padding(lay_out(report[key]), (0, 0, 0, 2)))
    if not is_empty(report.get("engine")):
        console.print()
        console.print(Text(f"Made by: {phrase(report['engine'])}", style="dim"))


def _headline(report: Mapping[str, Json]) -> Panel:
    score = number(report.get("atsScore")) or 0.0
    table = columns("bold", "", "")
    table.add_row("ATS score", _gauge(score), "")
    quality = report.get("overallQuality")
    note = ""
    if isinstance(quality, Mapping):
        label = Text(phrase(quality.get("label") or ""), style="bold")
        table.add_row("Writing", _gauge(number(quality.get("score")) or 0.0), label)
        note = phrase(quality.get("summary") or "")
    elif not is_empty(quality):
        table.add_row("Writing", phrase(quality), "")
    role = report.get("targetRole")
    notes = [note]
    if isinstance(role, Mapping):
        notes.append(phrase(role.get("note") or ""))
        role = role.get("requested")
    parts: list[RenderableType] = [table]
    parts.extend(Padding(Text(text, style="dim"), (1, 0, 0, 0)) for text in notes if text)
    return Panel(
        Group(*parts),
        title=Text(f"Résumé report{f' for {phrase(role)}' if role else ''}", style="bold"),
        title_align="left",
        border_style=_colour(score),
        padding=(1, 2),
    )


def _gauge(score: float) -> Text:
    bar = gauge(score / 100, _GAUGE_WIDTH, _colour(score))
    return Text.assemble((f"{score:3.0f}", f"bold {_colour(score)}"), (" / 100  ", "dim"), bar)


def _colour(score: float) -> str:
    return "green" if score >= 75 else "yellow" if score >= 50 else "red"


_SECTIONS: tuple[tuple[str, str, Callable[[Json], RenderableType]], ...] = (
    ("atsBreakdown", "Where the score comes from", score_parts),
    ("keywordAnalysis", "Keywords", keywords),
    ("improvementAreas", "What to improve", findings),
    ("quickWins", "Quick wins", quick_wins),
    ("strengths", "Strengths", strengths),
    ("actionVerbAnalysis", "Action verbs", action_verbs),
    ("skillGapInsights", "Skill gaps", skill_gaps),
    ("sectionFeedback", "Section by section", sections),
    ("document", "What was read", document),
)
