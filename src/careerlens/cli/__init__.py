"""The command `careerlens`: everything a person does with the product from a terminal.

Importing it is cheap. What a command needs is imported when the command runs.
"""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """The entry point of the command `careerlens`."""
    from careerlens.cli.shortway import run_worker_line

    # Job types may be files of the folder we are called in. Last, so that they shadow nothing.
    sys.path.append(os.getcwd())
    arguments = sys.argv[1:]
    code = run_worker_line(arguments)
    if code is None:
        from careerlens.cli._main import run_command

        code = run_command(arguments)
    sys.exit(code)
