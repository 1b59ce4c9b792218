"""What a finished job gave, laid out for reading.

The report of a résumé has a layout of its own; every other result is printed as an outline. The
result comes over the wire and its shape may grow, so a part that is missing is left out and one
that is new, or not as expected, is outlined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from careerlens.cli.text import in_words, one_line, plain

_PRIORITIES = {
    "critical": ("bold red", "Fix first"),
    "high": ("red", "High priority"),
    "medium": ("yellow", "Medium priority"),
    "low": ("blue", "Low priority"),
}
_GAUGE_WIDTH = 40
_MAX_EVIDENCE = 240
_FOUND_NAMES = ("found", "matched", "matchedKeywords", "foundKeywords", "present")
_MISSING_NAMES = ("missing", "missingKeywords", "absent")
_TITLE_NAMES = ("keyword", "skill", "term", "name", "title", "section", "area", "verb", "action")

Json = Any


def print_result(console: Console, job_type: str, result: Json) -> None:
    """Print the result of a completed job."""
    if isinstance(result, Mapping) and "atsScore" in result:
        _print_resume_report(console, result)
    elif result is not None:
        console.print(Rule(Text(in_words(job_type.replace("-", "_"))), align="left"))
        console.print(_outline(result))


def _print_resume_report(console: Console, report: Mapping[str, Json]) -> None:
    shown = {"atsScore", "overallQuality", "targetRole", "engine"}
    console.print(_headline(report))
    for key, title, lay_out in _SECTIONS:
        shown.add(key)
        value = report.get(key)
        if value not in (None, [], {}, ""):
            _print_section(console, title, lay_out(value))
    for key, value in report.items():
        if key not in shown and value not in (None, [], {}, ""):
            _print_section(console, in_words(key), _outline(value))
    if report.get("engine"):
        console.print()
        console.print(Text(f"Made by: {_in_one_line(report['engine'])}", style="dim"))


def _print_section(console: Console, title: str, body: RenderableType) -> None:
    console.print()
    console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
    console.print(Padding(body, (0, 0, 0, 2)))


def _headline(report: Mapping[str, Json]) -> Panel:
    score = _number(report.get("atsScore")) or 0.0
    style = "green" if score >= 75 else "yellow" if score >= 50 else "red"
    filled = round(_GAUGE_WIDTH * min(max(score, 0.0), 100.0) / 100)
    line = Text.assemble(
        ("ATS score  ", "bold"),
        (f"{score:.0f}", f"bold {style}"),
        (" / 100  ", "dim"),
        ("━" * filled, style),
        ("━" * (_GAUGE_WIDTH - filled), "dim"),
    )
    quality = report.get("overallQuality")
    parts: list[RenderableType] = [line]
    if quality not in (None, "", {}, []):
        parts.append(Text.assemble(("Overall    ", "bold"), _in_one_line(quality)))
    role = report.get("targetRole")
    subtitle = f" for {_in_one_line(role)}" if role else ""
    return Panel(
        Group(*parts),
        title=Text(f"Résumé report{subtitle}", style="bold"),
        title_align="left",
        border_style=style,
        padding=(1, 2),
    )


def _keywords(value: Json) -> RenderableType:
    if not isinstance(value, Mapping):
        return _outline(value)
    found = _first(value, _FOUND_NAMES)
    missing = _first(value, _MISSING_NAMES)
    if found is None and missing is None:
        return _outline(value)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(Text("✓ found", style="green"), _word_list(found, "green"))
    table.add_row(Text("✗ missing", style="red"), _word_list(missing, "red"))
    rest = {key: part for key, part in value.items() if key not in (*_FOUND_NAMES, *_MISSING_NAMES)}
    return Group(table, _outline(rest)) if rest else table


def _word_list(words: Json, style: str) -> Text:
    if not isinstance(words, Sequence) or isinstance(words, str) or not words:
        return Text("none", style="dim")
    text = Text()
    for index, word in enumerate(words):
        text.append(", " if index else "", style="dim")
        text.append(_title_of(word), style=style)
    return text


def _findings(value: Json) -> RenderableType:
    if not _is_list_of_mappings(value):
        return _outline(value)
    parts: list[RenderableType] = []
    for priority in _priorities_in(value):
        style, label = _PRIORITIES.get(priority, ("white", in_words(priority)))
        entries = [entry for entry in value if _priority_of(entry) == priority]
        parts.append(Text(f"{label} ({len(entries)})", style=f"bold {style}"))
        parts.extend(Padding(_finding(entry, style), (0, 0, 1, 0)) for entry in entries)
    return Group(*parts)


def _finding(entry: Mapping[str, Json], style: str) -> RenderableType:
    head = Text.assemble(("● ", style), _in_one_line(entry.get("issue") or _title_of(entry)))
    if entry.get("category"):
        head.append(f"  {_in_one_line(entry['category'])}", style="dim")
    lines: list[RenderableType] = [head]
    if entry.get("recommendation"):
        advice = Text.assemble(("→ ", "cyan"), _in_one_line(entry["recommendation"]))
        lines.append(Padding(advice, (0, 0, 0, 2)))
    lines.extend(
        Padding(Text(f"│ {quote}", style="italic dim"), (0, 0, 0, 2))
        for quote in _quotes(entry.get("evidence"))
    )
    return Group(*lines)


def _quotes(evidence: Json) -> Iterable[str]:
    if evidence in (None, "", [], {}):
        return
    entries = evidence if isinstance(evidence, list) else [evidence]
    for entry in entries[:4]:
        if isinstance(entry, Mapping):
            passage = entry.get("quote") or entry.get("text") or entry.get("passage")
            text = _in_one_line(passage if passage is not None else entry)
        else:
            text = _in_one_line(entry)
        yield f"{text[:_MAX_EVIDENCE]}…" if len(text) > _MAX_EVIDENCE else text


def _numbered(value: Json) -> RenderableType:
    if not isinstance(value, list):
        return _outline(value)
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column()
    for index, entry in enumerate(value, 1):
        table.add_row(f"{index}.", _entry(entry))
    return table


def _ticked(value: Json) -> RenderableType:
    if not isinstance(value, list):
        return _outline(value)
    table = Table.grid(padding=(0, 1))
    table.add_column(style="green", no_wrap=True)
    table.add_column()
    for entry in value:
        table.add_row("✓", _entry(entry))
    return table


def _entry(entry: Json) -> RenderableType:
    """One entry of a list: its title, and what else it says on lines of their own."""
    if not isinstance(entry, Mapping):
        return Text(_in_one_line(entry))
    rest = [
        Text(f"{in_words(key)}: {_in_one_line(part)}", style="dim")
        for key, part in entry.items()
        if part not in (None, "", [], {}) and _in_one_line(part) != _title_of(entry)
    ]
    return Group(Text(_title_of(entry)), *rest)


def _outline(value: Json, depth: int = 0) -> RenderableType:
    """Any JSON value as an indented outline."""
    if isinstance(value, Mapping):
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="dim")
        table.add_column()
        for key, part in value.items():
            if part not in (None, "", [], {}):
                table.add_row(Text(in_words(plain(key))), _outline(part, depth + 1))
        return table
    if isinstance(value, list):
        if all(not isinstance(part, Mapping | list) for part in value) and depth:
            return Text(", ".join(_in_one_line(part) for part in value))
        bullets = Table.grid(padding=(0, 1))
        bullets.add_column(style="dim", no_wrap=True)
        bullets.add_column()
        for part in value:
            bullets.add_row("•", _outline(part, depth + 1))
        return bullets
    return Text(plain(_scalar(value)))


def _in_one_line(value: Json) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{in_words(plain(key)).lower()} {_in_one_line(part)}"
            for key, part in value.items()
            if part not in (None, "", [], {})
        )
    if isinstance(value, list):
        return ", ".join(_in_one_line(part) for part in value)
    return one_line(_scalar(value))


def _scalar(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _title_of(entry: Json) -> str:
    if not isinstance(entry, Mapping):
        return _in_one_line(entry)
    named = _first(entry, _TITLE_NAMES)
    return _in_one_line(named if named is not None else next(iter(entry.values()), ""))


def _first(mapping: Mapping[str, Json], names: Iterable[str]) -> Json | None:
    return next((mapping[name] for name in names if mapping.get(name) is not None), None)


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _priority_of(entry: Mapping[str, Json]) -> str:
    return str(entry.get("priority") or "low").lower()


def _priorities_in(entries: Sequence[Mapping[str, Json]]) -> list[str]:
    present = dict.fromkeys(_priority_of(entry) for entry in entries)
    known = [name for name in _PRIORITIES if name in present]
    return known + [name for name in present if name not in _PRIORITIES]


def _is_list_of_mappings(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)


_SECTIONS: tuple[tuple[str, str, Callable[[Json], RenderableType]], ...] = (
    ("keywordAnalysis", "Keywords", _keywords),
    ("improvementAreas", "What to improve", _findings),
    ("quickWins", "Quick wins", _numbered),
    ("strengths", "Strengths", _ticked),
    ("actionVerbAnalysis", "Action verbs", _outline),
    ("skillGapInsights", "Skill gaps", _outline),
    ("sectionFeedback", "Section by section", _outline),
)
