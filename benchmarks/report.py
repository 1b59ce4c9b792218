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
    """What is measured, in words, and which way is better."""

    name: str
    title: str
    better: Literal["higher", "lower"]


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
) -> None:
    """Write everything. A trial's figures mean nothing: they go to `NAME.trial.json` alone."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    results = {m.name: results[m.name] for m in metrics if m.name in results}
    file = RESULTS / f"{name}{'.trial' if trial else ''}.json"
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"Written to {file.relative_to(BENCHMARKS.parent)}")
    if trial:
        return
    about = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), **about}
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (RESULTS / f"{name}.about.json").write_text(text + "\n", encoding="utf-8")
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"benchmark-{name}.svg").write_text(plot(metrics, results), encoding="utf-8")
    _put_into_page(name, table(metrics, results))


def machine() -> dict[str, str | int]:
    """The class of machine, which tells how to read the figures."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores or 1,
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


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


def table(metrics: Sequence[Metric], results: Results) -> str:
    """One line for each metric and system: median, and the smallest and largest run."""
    blocks = []
    for metric in metrics:
        systems = results.get(metric.name, {})
        if not systems:
            continue
        rows = [
            f"| {name} | {_number(f['median'])} | {_number(f['min'])} to {_number(f['max'])} |"
            for name, f in _ranked(metric, systems)
        ]
        head = f"**{metric.title}** (`{metric.name}`, {metric.better} is better)"
        blocks.append("\n".join([head, "", "| System | Median | Spread |", "|---|--:|--:|", *rows]))
    return "\n\n".join(blocks)


ROW, PANEL_WIDTH, LABEL, COLUMNS = 20, 480, 112, 2


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
    longest = max(figure["max"] for _, figure in ranked)
    scale = (PANEL_WIDTH - LABEL - 86) / longest
    lines = [
        f'<g transform="translate({left + 8},{top})">',
        f'<text class="title" x="0" y="20">{escape(metric.title)}</text>',
    ]
    for index, (name, figure) in enumerate(ranked):
        y = 34 + index * ROW
        kind = {"careerlens": "ours", "scripts-floor": "floor"}.get(name, "bar")
        length, low, high = (figure[key] * scale for key in ("median", "min", "max"))
        lines += [
            f'<text x="0" y="{y + 12}">{escape(name)}</text>',
            f'<rect class="{kind}" x="{LABEL}" y="{y + 2}" width="{length:.1f}" height="13"/>',
            f'<line class="spread" x1="{LABEL + low:.1f}" x2="{LABEL + high:.1f}" '
            f'y1="{y + 8.5}" y2="{y + 8.5}"/>',
            f'<text x="{LABEL + high + 6:.1f}" y="{y + 12}">{_number(figure["median"])}</text>',
        ]
    return "\n".join([*lines, "</g>"])


def _ranked(metric: Metric, systems: Mapping[str, Figure]) -> list[tuple[str, Figure]]:
    return sorted(
        systems.items(), key=lambda item: item[1]["median"], reverse=metric.better == "higher"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def _put_into_page(name: str, text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not between.search(page):
        sys.exit(f"{PAGE} has no place for the table: <!-- {name} --> … <!-- /{name} -->")
    page = between.sub(lambda marks: f"{marks[1]}\n{text}\n\n{marks[2]}", page)
    PAGE.write_text(page, encoding="utf-8")
