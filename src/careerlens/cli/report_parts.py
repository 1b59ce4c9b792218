"""The parts of a résumé's report, each laid out its own way; outlined when not as expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from careerlens.cli.outline import (
    are_mappings,
    columns,
    first,
    gauge,
    is_empty,
    number,
    outline,
    phrase,
    title_of,
)
from careerlens.cli.text import in_words

_PRIORITIES = {
    "critical": ("bold red", "Fix first"),
    "high": ("red", "High priority"),
    "medium": ("yellow", "Medium priority"),
    "low": ("blue", "Low priority"),
}
_IMPORTANCE = {"essential": "bold red", "important": "yellow", "useful": "blue"}
_FOUND_NAMES = ("matched", "found")
_BAR_WIDTH = 16
_MAX_QUOTES = 3
_MAX_QUOTE = 240
# The reason already tells of the last two.
_TOLD_OF_A_SKILL = frozenset(
    {"skill", "importance", "demandPercent", "why", "howToLearn", "salaryUpliftPercent", "related"}
)
_TOLD_ELSEWHERE = frozenset({"skills", "sections", "contact", "warnings"})

Json = Any


def score_parts(value: Json) -> RenderableType:
    """Each part of a score: a bar, its points, why."""
    if not are_mappings(value):
        return outline(value)
    table = columns("", "", "dim", "dim")
    for part in value:
        points, out_of = number(part.get("points")) or 0.0, number(part.get("outOf")) or 0.0
        share = points / out_of if out_of else 0.0
        bar = gauge(share, _BAR_WIDTH, "cyan")
        reason = Text(phrase(part.get("reason") or ""))
        table.add_row(Text(title_of(part)), bar, f"{points:g} / {out_of:g}", reason)
    return table


def keywords(value: Json) -> RenderableType:
    """What was found, and what is missing, most wanted first."""
    if not isinstance(value, Mapping):
        return outline(value)
    found, missing = first(value, _FOUND_NAMES), value.get("missing")
    if not isinstance(found, list) and not isinstance(missing, list):
        return outline(value)
    table = columns("", "")
    table.add_row(Text("✓ found", style="green"), _words(found, "green"))
    for importance, words in _by_importance(missing).items():
        style = _IMPORTANCE.get(importance, "red")
        label = f"✗ {importance}" if importance in _IMPORTANCE else "✗ missing"
        table.add_row(Text(label, style=style), _words(words, style))
    for key in ("otherSkills", "note", "coverage"):
        if not is_empty(value.get(key)):
            said = Text(_share(value[key]) if key == "coverage" else phrase(value[key]))
            table.add_row(Text(in_words(key), style="dim"), said)
    return table


def findings(value: Json) -> RenderableType:
    """What to improve, by priority, each with the passage it concerns."""
    if not are_mappings(value):
        return outline(value)
    parts: list[RenderableType] = []
    for priority in _priorities_in(value):
        style, label = _PRIORITIES.get(priority, ("white", in_words(priority)))
        entries = [entry for entry in value if _priority_of(entry) == priority]
        parts.append(Text(f"{label} ({len(entries)})", style=f"bold {style}"))
        parts.extend(Padding(_finding(entry, style), (0, 0, 1, 0)) for entry in entries)
    return Group(*parts)


def quick_wins(value: Json) -> RenderableType:
    """Small changes, with what each would gain and cost."""
    if not isinstance(value, list):
        return outline(value)
    table = columns("cyan", "")
    for index, entry in enumerate(value, 1):
        table.add_row(f"{index}.", _win(entry))
    return table


def strengths(value: Json) -> RenderableType:
    """What to keep."""
    if not isinstance(value, list):
        return outline(value)
    table = columns("green", "")
    for entry in value:
        text = Text(title_of(entry))
        if isinstance(entry, Mapping) and entry.get("detail"):
            text.append(f"  {phrase(entry['detail'])}", style="dim")
        table.add_row("✓", text)
    return table


def action_verbs(value: Json) -> RenderableType:
    """How statements begin: the share of strong openings, and the weak ones with better ones."""
    if not isinstance(value, Mapping) or not are_mappings(value.get("weak") or [{}]):
        return outline(value)
    table = columns("", "")
    if not is_empty(value.get("strongShare")):
        share = (
            f"{_share(value['strongShare'])} of {phrase(value.get('statements', ''))} statements"
        )
        table.add_row(Text("Strong openings", style="dim"), Text(share))
    if isinstance(value.get("strong"), list):
        table.add_row(Text("✓ strong", style="green"), _words(value["strong"], "green"))
    for entry in value.get("weak") or []:
        better = entry.get("suggestions") or []
        text = Text(phrase(first(entry, ("phrase", "verb")) or title_of(entry)), style="yellow")
        if better:
            text.append_text(Text.assemble((" → ", "cyan"), phrase(better)))
        table.add_row(Text("✗ weak", style="yellow"), Group(text, *_quotes(entry.get("evidence"))))
    if isinstance(value.get("repeated"), list) and value["repeated"]:
        table.add_row(Text("↻ repeated", style="blue"), _words(value["repeated"], "blue"))
    return table


def skill_gaps(value: Json) -> RenderableType:
    """Missing skills worth having: how much they are wanted, and why."""
    if not are_mappings(value):
        return outline(value)
    table = columns("", "dim", "")
    for entry in value:
        style = _IMPORTANCE.get(str(entry.get("importance")), "")
        demand = number(entry.get("demandPercent"))
        wanted = f"{demand:.0f}% of postings" if demand is not None else ""
        reason = Text(phrase(entry.get("why") or ""))
        if entry.get("howToLearn"):
            reason.append(f" {phrase(entry['howToLearn'])}", style="dim")
        rest = {
            key: part
            for key, part in entry.items()
            if key not in _TOLD_OF_A_SKILL and not is_empty(part)
        }
        body = [reason] if reason.plain else []
        if rest:
            body.append(Text(phrase(rest), style="dim"))
        table.add_row(Text(title_of(entry), style=style), wanted, Group(*body))
    return table


def sections(value: Json) -> RenderableType:
    """Each section: whether it is there, how good it is, what to do."""
    if not are_mappings(value):
        return outline(value)
    table = columns("", "", "dim", "")
    for entry in value:
        present = entry.get("present", True)
        mark = Text("✓", style="green") if present else Text("✗", style="red")
        score = number(entry.get("score"))
        table.add_row(
            mark,
            Text(title_of(entry)),
            f"{score:.0f}" if score is not None else "",
            Text(phrase(entry.get("feedback") or "")),
        )
    return table


def document(value: Json) -> RenderableType:
    """What was read, on one line; what a reader of the report must know, each on its own."""
    if not isinstance(value, Mapping):
        return outline(value)
    facts = {key: part for key, part in value.items() if key not in _TOLD_ELSEWHERE}
    warnings = value.get("warnings") if isinstance(value.get("warnings"), list) else []
    lines = [Text(phrase(facts), style="dim")]
    lines.extend(Text(f"! {phrase(warning)}", style="yellow") for warning in warnings or [])
    return Group(*lines)


def _finding(entry: Mapping[str, Json], style: str) -> RenderableType:
    head = Text.assemble(("● ", style), phrase(entry.get("issue") or title_of(entry)))
    if entry.get("category"):
        head.append(f"  {phrase(entry['category'])}", style="dim")
    lines: list[RenderableType] = [head]
    if entry.get("recommendation"):
        advice = Text.assemble(("→ ", "cyan"), phrase(entry["recommendation"]))
        lines.append(Padding(advice, (0, 0, 0, 2)))
    lines.extend(Padding(quote, (0, 0, 0, 2)) for quote in _quotes(entry.get("evidence")))
    return Group(*lines)


def _win(entry: Json) -> RenderableType:
    if not isinstance(entry, Mapping):
        return Text(phrase(entry))
    head = Text(title_of(entry))
    points, minutes = number(entry.get("points")), number(entry.get("minutes"))
    if points:
        head.append(f"  +{points:g} points", style="green")
    if minutes:
        head.append(f"  {minutes:g} min", style="dim")
    lines: list[RenderableType] = [head]
    if entry.get("why"):
        lines.append(Text(phrase(entry["why"]), style="dim"))
    lines.extend(_quotes(entry.get("evidence")))
    return Group(*lines)


def _quotes(evidence: Json) -> Iterator[Text]:
    if is_empty(evidence):
        return
    entries = evidence if isinstance(evidence, list) else [evidence]
    for entry in entries[:_MAX_QUOTES]:
        where = ""
        text = entry
        if isinstance(entry, Mapping):
            text = first(entry, ("quote", "text", "passage")) or entry
            where = f"line {phrase(entry['line'])}: " if entry.get("line") is not None else ""
        said = phrase(text)
        said = f"{said[:_MAX_QUOTE]}…" if len(said) > _MAX_QUOTE else said
        yield Text.assemble(("│ ", "bright_black"), (where, "dim"), (said, "italic"))
    if len(entries) > _MAX_QUOTES:
        yield Text(f"│ and {len(entries) - _MAX_QUOTES} more", style="bright_black")


def _words(words: Json, style: str) -> Text:
    if not isinstance(words, Sequence) or isinstance(words, str) or not words:
        return Text("none", style="dim")
    text = Text()
    for index, word in enumerate(words):
        text.append(", " if index else "", style="dim")
        text.append(title_of(word), style=style)
        demand = number(word.get("demandPercent")) if isinstance(word, Mapping) else None
        if demand is not None:
            text.append(f" {demand:.0f}%", style="dim")
    return text


def _by_importance(words: Json) -> dict[str, list[Json]]:
    groups: dict[str, list[Json]] = {}
    for word in words if isinstance(words, list) else []:
        importance = word.get("importance") if isinstance(word, Mapping) else None
        groups.setdefault(str(importance), []).append(word)
    known = [name for name in _IMPORTANCE if name in groups]
    ordered = known + [name for name in groups if name not in _IMPORTANCE]
    return {name: groups[name] for name in ordered} or {"missing": []}


def _share(value: Json) -> str:
    share = number(value)
    return f"{share * 100:.0f}%" if share is not None and share <= 1 else phrase(value)


def _priority_of(entry: Mapping[str, Json]) -> str:
    return str(entry.get("priority") or "low").lower()


def _priorities_in(entries: Sequence[Mapping[str, Json]]) -> list[str]:
    present = dict.fromkeys(_priority_of(entry) for entry in entries)
    known = [name for name in _PRIORITIES if name in present]
    return known + [name for name in present if name not in _PRIORITIES]
