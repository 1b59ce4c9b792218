"""`careerlens doctor`: is everything as it must be, and what to do if not."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import aclosing
from textwrap import fill
from typing import TYPE_CHECKING

from rich.text import Text

from careerlens.cli.exits import Exit
from careerlens.cli.flags import Flag
from careerlens.cli.screen import command, results

if TYPE_CHECKING:
    from rich.console import Console

    from careerlens.cli.checks import Finding
    from careerlens.foundation.settings import Settings

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}
_NAME_WIDTH = 18
_LEAST_WIDTH = 30


def doctor(*, json: Flag = False) -> int:
    """Check Redis, secrets, ports and the installation; say what to do about what is wrong.

    Exit code 0 when nothing stands in the way (warnings may remain), 1 when something does.

    For example:

        careerlens doctor
        REDIS_URL=redis://10.0.0.3:6379 careerlens doctor --json

    Parameters
    ----------
    json:
        Print the findings as JSON.
    """
    from careerlens.cli.looping import run_async
    from careerlens.foundation.logging import configure_logging
    from careerlens.foundation.settings import load_settings

    settings = load_settings()
    # What it finds is its output; what the parts it asks have to say would only stand between.
    level = settings.log_level if "log_level" in settings.model_fields_set else "error"
    configure_logging("doctor", settings.model_copy(update={"log_level": level}))
    findings = run_async(_examine(settings, silently=json))
    if json:
        _print_json(findings)
    problems = sum(finding.verdict == "problem" for finding in findings)
    return Exit.FAILED if problems else Exit.DONE


async def _examine(settings: Settings, *, silently: bool) -> list[Finding]:
    from careerlens.cli.checks import examine

    console = results()
    findings: list[Finding] = []
    async with aclosing(examine(settings)) as found:
        async for finding in found:
            findings.append(finding)
            if not silently:
                _print(console, finding)
    if not silently:
        problems = sum(finding.verdict == "problem" for finding in findings)
        verdict = f"{problems} to correct" if problems else f"Ready to run: {command()} run"
        console.print(Text(verdict, style="bold red" if problems else "bold green"))
    return findings


def _print(console: Console, finding: Finding) -> None:
    mark, style = _MARKS[finding.verdict]
    name = finding.check.ljust(_NAME_WIDTH)
    margin = _NAME_WIDTH + 2
    found = _beside(finding.found, margin, console)
    console.print(Text.assemble((f"{mark} ", style), (name, "bold"), found))
    if finding.remedy:
        remedy = _beside(finding.remedy, margin + 2, console)
        console.print(Text.assemble(" " * margin, ("→ ", "cyan"), remedy))


def _beside(text: str, margin: int, console: Console) -> str:
    """`text` broken into lines that stand beside the margin."""
    width = max(console.width - margin, _LEAST_WIDTH)
    lines = fill(text, width, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\n", "\n" + " " * margin)


def _print_json(findings: list[Finding]) -> None:
    import json

    document = [dataclasses.asdict(finding) for finding in findings]
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
