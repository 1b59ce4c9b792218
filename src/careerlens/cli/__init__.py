"""The command `careerlens`: everything a person does with the product from a terminal.

Importing it is cheap. What a command needs is imported when the command runs.
"""

from __future__ import annotations

from careerlens.cli._main import main

__all__ = ["main"]
