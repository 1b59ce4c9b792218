"""The terminal: results on stdout, everything else on stderr, errors as one clear paragraph."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from careerlens.cli.exits import Exit
from careerlens.foundation.errors import (
    AuthenticationError,
    CareerLensError,
    ConfigurationError,
    InvalidInputError,
    ServiceUnavailableError,
)

_PIPED_WIDTH = 100
_UNWRAPPED = 10_000
CRASH_FILE = "crash.log"


class CommandError(CareerLensError):
    """A command cannot do what was asked. `remedy` is one sentence on what to do about it."""

    def __init__(self, problem: str, remedy: str = "", *, code: Exit = Exit.FAILED) -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy
        self.code = code


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line, for which a reader who has seen enough is no failure."""
        raise BrokenPipeError


def results() -> Console:
    """Where results go: stdout."""
    return _Console(width=None if sys.stdout.isatty() else _piped_width(), highlight=False)


def _piped_width() -> int:
    """A fixed one, but no wider than the terminal that a pager, perhaps, fills in the end."""
    try:
        return min(_PIPED_WIDTH, os.get_terminal_size(sys.stderr.fileno()).columns or _PIPED_WIDTH)
    except (OSError, ValueError):
        return _PIPED_WIDTH


def messages() -> Console:
    """Where everything else goes: stderr. In a pipe or a file a paragraph is one line."""
    width = None if sys.stderr.isatty() else _UNWRAPPED
    return _Console(stderr=True, width=width, highlight=False)


def command() -> str:
    """`careerlens` as it is typed in this shell: with its folder where the path lacks that one."""
    if shutil.which("careerlens"):
        return "careerlens"
    installed = Path(sys.executable).with_name("careerlens")
    if not installed.exists():
        return "careerlens"
    folder = Path.cwd()
    return str(installed.relative_to(folder) if installed.is_relative_to(folder) else installed)


def explain(error: BaseException) -> Exit:
    """Tell a person what went wrong and what to do, and return the exit code that says the same."""
    match error:
        case CommandError():
            return _say(error.problem, error.remedy, error.code)
        case ConfigurationError():
            return _say(f"{error.setting}: {error.problem}", error.remedy, Exit.CONFIGURATION)
        case ServiceUnavailableError():
            remedy = "`careerlens doctor` checks the whole set-up."
            return _say(_capitalised(str(error)), remedy, Exit.UNAVAILABLE)
        case InvalidInputError():
            problems = "; ".join(f"{p.field}: {p.message}" for p in error.problems)
            return _say(f"The input is not right: {problems}", "", Exit.USAGE)
        case AuthenticationError():
            remedy = "Make a token with `careerlens token --user NAME`, and pass it with --token."
            return _say(_capitalised(str(error)), remedy, Exit.USAGE)
        case CareerLensError():
            return _say(_capitalised(str(error)), "", Exit.FAILED)
        case _:
            return _confess(error)


def _say(problem: str, remedy: str, code: Exit) -> Exit:
    text = Text.assemble(("error: ", "bold red"), problem)
    if remedy:
        text.append(f" {remedy}")
    messages().print(text)
    return code


def _confess(error: BaseException) -> Exit:
    """A defect of ours: the paragraph on screen, the traceback in a file."""
    details = "".join(traceback.format_exception(error))
    where = _keep(details)
    problem = f"CareerLens met a defect of its own ({type(error).__name__}: {error})."
    _say(problem, f"Please report it together with {where}.", Exit.DEFECT)
    return Exit.DEFECT


def _keep(details: str) -> str:
    home = Path(os.environ.get("CAREERLENS_HOME") or ".careerlens")
    path = home / CRASH_FILE
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(details, "utf-8")
    except OSError:
        messages().print(escape(details))
        return "the lines above"
    return str(path)


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
