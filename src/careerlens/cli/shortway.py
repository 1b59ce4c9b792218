"""The short way into `careerlens worker`, which is to be small and to start at once.

The libraries behind the command line and its help take 10 MB and a tenth of a second. A line that
holds nothing but well-formed options needs neither. Whatever else it is, a call for help or a
mistake, it goes the long way, where the words for it are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict


class WorkerOptions(TypedDict, total=False):
    """The options of `careerlens worker` that a line holds."""

    concurrency: int
    processes: int
    types: str


_OPTIONS = {
    "--concurrency": "concurrency",
    "-c": "concurrency",
    "--processes": "processes",
    "-p": "processes",
    "--types": "types",
    "-t": "types",
}


def run_worker_line(arguments: Sequence[str]) -> int | None:
    """Run `careerlens worker …` and return its exit code; None for a line of the long way."""
    if list(arguments[:1]) != ["worker"]:
        return None
    options = worker_options(arguments[1:])
    if options is None:
        return None
    from careerlens.cli.errors import exit_code_of
    from careerlens.cli.processes import work

    return exit_code_of(lambda: work(**options))


def worker_options(arguments: Sequence[str]) -> WorkerOptions | None:
    """The options in `arguments`; None unless each is known, whole, and given once."""
    found = WorkerOptions()
    words = iter(arguments)
    for word in words:
        name, value = _option(word, words)
        if name in found or not value or value.startswith("-"):
            return None
        if name == "types":
            found["types"] = value
        elif name in {"concurrency", "processes"} and value.isascii() and value.isdigit():
            found["concurrency" if name == "concurrency" else "processes"] = int(value)
        else:
            return None
    return found


def _option(word: str, following: Iterator[str]) -> tuple[str, str]:
    """The option that begins at `word`, and its value, which may be the next word."""
    flag, is_joined, value = word.partition("=")
    if flag not in _OPTIONS:
        return "", ""
    return _OPTIONS[flag], value if is_joined else next(following, "")
