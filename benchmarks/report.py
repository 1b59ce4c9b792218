"""What becomes of the measurements: a file for programs, a table and a plot for readers.

`results/NAME.json` is `{metric: {system: {"median", "min", "max", "runs"}}}`; `NAME.about.json`
tells what was measured on which machine, and why a figure is missing. The table replaces what
stands between the marks `<!-- NAME -->` and `<!-- /NAME -->` of `docs/benchmarks.md`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Literal, TypeAlias

BENCHMARKS = Path(__file__).parent
RESULTS = BENCHMARKS / "results"
PAGE = BENCHMARKS.parent / "docs" / "benchmarks.md"
IMAGES = BENCHMARKS.parent / "docs" / "images"

Figure: TypeAlias = Mapping[str, float]
Results: TypeAlias = Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True)
class Metric:
    """What is measured, which way is better, and its words over a table's column and a plot."""

    name: str
    column: str
    title: str
    better: Literal["higher", "lower"]
    table: str = ""
    """Metrics of one table stand beside each other, those that are better higher before others."""


def summarise(found: Mapping[str, Mapping[str, Sequence[float]]]) -> Results:
    """Median, minimum and maximum of the runs of each system."""
    return {
        metric: {
            system: {
                "median": round(statistics.median(values), 3),
                "min": round(min(values), 3),
                "max": round(max(values), 3),
                "runs": len(values),
            }
            for system, values in systems.items()
        }
        for metric, systems in found.items()
    }


def publish(
    name: str,
    metrics: Sequence[Metric],
    results: Results,
    about: Mapping[str, Any],
    *,
    trial: bool = False,
    merge: bool = False,
) -> None:
    """Write everything; the figures of a trial, or of some systems alone, to a file apart.

    With `merge`, the figures take the places of their predecessors, and the others stay.
    """
    about = {"date": _today(), "machine": machine(), **about}
    if merge:
        results, about = merged(_read(f"{name}.json"), results, _read(f"{name}.about.json"), about)
    results = {m.name: results[m.name] for m in metrics if m.name in results}
    write_results(name, results, trial=trial)
    if trial:
        return
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (RESULTS / f"{name}.about.json").write_text(text + "\n", encoding="utf-8")
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"benchmark-{name}.svg").write_text(plot(metrics, results), encoding="utf-8")
    picture = f"![The same as bars](images/benchmark-{name}.svg)"
    put_into_page(name, "\n\n".join([tables(metrics, results), picture, _circumstances(about)]))


def write_results(name: str, results: Results, *, trial: bool) -> None:
    """Write figures for programs to read."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{name}{'.trial' if trial else ''}.json"
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"Written to {file.relative_to(BENCHMARKS.parent)}")


def merged(
    before: Results, now: Results, about_before: Mapping[str, Any], about_now: Mapping[str, Any]
) -> tuple[Results, dict[str, Any]]:
    """Earlier figures with newer ones in their places, and what is to be said about them."""
    about = {**about_before, **{key: about_now[key] for key in ("machine", "versions")}}
    for key in ("jobs", "systems"):
        about[key] = {**about_before.get(key, {}), **about_now.get(key, {})}
    names = list(about["systems"])
    results = {
        metric: dict(
            sorted(
                {**before.get(metric, {}), **now.get(metric, {})}.items(),
                key=lambda item: names.index(item[0]),
            )
        )
        for metric in {**before, **now}
    }
    left_out = [each.get("left_out", {}) for each in (about_before, about_now)]
    reasons = {
        name: {metric: why for each in left_out for metric, why in each.get(name, {}).items()}
        for name in names
    }
    about["left_out"] = {
        name: {metric: why for metric, why in each.items() if name not in results.get(metric, {})}
        for name, each in reasons.items()
    }
    again = {
        "date": about_now["date"],
        "load_average_before": about_now["load_average_before"],
        "systems": list(about_now["systems"]),
        "metrics": list(now),
    }
    about["again"] = [*about_before.get("again", ()), again]
    return results, about


def _read(file: str) -> Any:
    return json.loads((RESULTS / file).read_text(encoding="utf-8"))


def machine() -> dict[str, str | int]:
    """The class of machine, which tells how to read the figures."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores or 1,
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


def in_words(date: str, where: Mapping[str, Any], load_before: float) -> str:
    """When and where something was measured, and how busy others kept the machine."""
    return (
        f"{date}: {where['cores']} cores ({where['architecture']}, {where['system']}), shared by "
        f"client, worker and server; Python {where['python']}; load average before: {load_before}"
    )


def here_and_now(load_before: float) -> str:
    """When and where something is measured by this process, in words."""
    return in_words(_today(), machine(), load_before)


def load_average() -> float:
    """How many processes have wanted a core, over the last minute."""
    return round(os.getloadavg()[0], 2)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def versions_in(python: str, *names: str) -> dict[str, str]:
    """The versions of packages in an environment."""
    code = (
        "import json, sys; from importlib.metadata import version;"
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    told = subprocess.run([python, "-c", code, *names], capture_output=True, check=True)
    found: dict[str, str] = json.loads(told.stdout)
    return found


def npm_version(name: str) -> str:
    """The version of Node, or of one of the packages beside us."""
    if name == "node":
        return subprocess.check_output(["node", "--version"], text=True).strip()
    package = BENCHMARKS / "node_modules" / name / "package.json"
    return str(json.loads(package.read_text(encoding="utf-8"))["version"])


def tables(metrics: Sequence[Metric], results: Results) -> str:
    """The medians with the smallest and the largest run: what is made, then what it costs."""
    shown = [metric for metric in metrics if metric.name in results]
    groups = dict.fromkeys((m.better, m.table) for m in sorted(shown, key=lambda m: m.better))
    return "\n\n".join(
        _table([m for m in shown if (m.better, m.table) == group], results) for group in groups
    )


def _table(metrics: Sequence[Metric], results: Results) -> str:
    systems = list(dict.fromkeys(name for m in metrics for name in results[m.name]))
    return table(
        ["", *(metric.column for metric in metrics)],
        [[name, *(_cell(results[m.name].get(name)) for m in metrics)] for name in systems],
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 0) -> str:
    """A table whose first column names the rows; then numbers, and columns of words at the end."""
    numbers = len(head) - 1 - words
    lines = [head, ["---", *["--:"] * numbers, *["---"] * words], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    low, median, high = (_number(figure[key]) for key in ("min", "median", "max"))
    return f"**{median}** ({low}–{high})"


def _circumstances(about: Mapping[str, Any]) -> str:
    """Machine, versions and what each system is, for the reader of the tables."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        f"Measured on {in_words(about['date'], about['machine'], about['load_average_before'])}.",
        "",
    ]
    for system, note in about["systems"].items():
        jobs = about.get("jobs", {}).get(system)
        reasons = about.get("left_out", {}).get(system, {})
        left_out = "".join(f"; no `{metric}`: {why}" for metric, why in reasons.items())
        lines.append(f"- {system}: {note}{f'; {jobs:,} jobs' if jobs else ''}{left_out}")
    for again in about.get("again", ()):
        lines += [
            "",
            f"Measured again on {again['date']} (load average before: "
            f"{again['load_average_before']}): {', '.join(again['metrics'])} of "
            f"{', '.join(again['systems'])}.",
        ]
    return "\n".join([*lines, "", f"Versions: {versions}."])


OFF_THE_SCALE = 8  # times the median of all systems
ROW, PANEL_WIDTH, LABEL, COLUMNS = 20, 480, 124, 2


def plot(metrics: Sequence[Metric], results: Results) -> str:
    """Bars with their spread, a panel for each metric; readable on light and dark pages."""
    shown = [metric for metric in metrics if metric.name in results]
    most = max(len(results[metric.name]) for metric in shown)
    panel_height = 34 + most * ROW + 16
    rows = -(-len(shown) // COLUMNS)
    width, height = PANEL_WIDTH * COLUMNS, panel_height * rows
    panels = [
        _panel(
            metric,
            results[metric.name],
            PANEL_WIDTH * (index % COLUMNS),
            panel_height * (index // COLUMNS),
        )
        for index, metric in enumerate(shown)
    ]
    style = (
        "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}"
        ".bar{fill:#9aa7b4}.ours{fill:#2563eb}.floor{fill:#d4a72c}"
        ".spread{stroke:#24292f;stroke-width:1.5}"
        ".page{fill:#ffffff}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>Benchmark results</title>\n<style>{style}</style>\n"
        f'<rect class="page" width="{width}" height="{height}"/>\n'
        + "\n".join(panels)
        + "\n</svg>\n"
    )


def _panel(metric: Metric, systems: Mapping[str, Figure], left: int, top: int) -> str:
    ranked = _ranked(metric, systems)
    usual = statistics.median(figure["median"] for _, figure in ranked)
    longest = min(max(figure["max"] for _, figure in ranked), OFF_THE_SCALE * usual)
    scale = (PANEL_WIDTH - LABEL - 86) / (longest or 1)
    lines = [
        f'<g transform="translate({left + 8},{top})">',
        f'<text class="title" x="0" y="20">{escape(metric.title)}</text>',
    ]
    for index, (name, figure) in enumerate(ranked):
        y = 34 + index * ROW
        ours = name.startswith("careerlens")
        kind = "floor" if name == "scripts-floor" else "ours" if ours else "bar"
        length, low, high = (min(figure[k], longest) * scale for k in ("median", "min", "max"))
        words = _number(figure["median"]) + (" …" if figure["median"] > longest else "")
        lines += [
            f'<text x="0" y="{y + 12}">{escape(name)}</text>',
            f'<rect class="{kind}" x="{LABEL}" y="{y + 2}" width="{length:.1f}" height="13"/>',
            f'<line class="spread" x1="{LABEL + low:.1f}" x2="{LABEL + high:.1f}" '
            f'y1="{y + 8.5}" y2="{y + 8.5}"/>',
            f'<text x="{LABEL + high + 6:.1f}" y="{y + 12}">{words}</text>',
        ]
    return "\n".join([*lines, "</g>"])


def _ranked(metric: Metric, systems: Mapping[str, Figure]) -> list[tuple[str, Figure]]:
    return sorted(
        systems.items(), key=lambda item: item[1]["median"], reverse=metric.better == "higher"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def put_into_page(name: str, text: str) -> None:
    """Put a text between the marks of its name."""
    page = PAGE.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not between.search(page):
        sys.exit(f"{PAGE} has no place for the table: <!-- {name} --> … <!-- /{name} -->")
    page = between.sub(lambda marks: f"{marks[1]}\n{text}\n\n{marks[2]}", page)
    PAGE.write_text(page, encoding="utf-8")
