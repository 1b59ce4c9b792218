"""What a function may use while it runs alone in a child process: `emit`.

Kept apart from the side that starts such processes, so that a child imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_listener: Callable[[Any], None] | None = None


def emit(message: Any) -> None:
    """Send `message` (anything JSON can hold) to the caller's `on_message`, at once.

    Outside a child process there is nobody to listen, and nothing happens: a function that
    reports its steps can be called directly too.
    """
    if _listener is not None:
        _listener(message)


def listen(listener: Callable[[Any], None] | None) -> None:
    """Let `listener` take every later `emit` of this process; None takes it away again."""
    global _listener
    _listener = listener
