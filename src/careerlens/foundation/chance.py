"""Names that nobody can guess, and that cost next to nothing each.

The system is asked for many at once: asking it for each takes longer than all else that makes one.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode

_BYTES = 12
_LENGTH = 16  # three bytes are four characters, so that each name has bytes of its own
_AT_ONCE = 256

_ready: list[str] = []


def random_name() -> str:
    """96 bits of the system's randomness as 16 letters, digits, `-` and `_`; never one twice."""
    while True:
        try:
            return _ready.pop()
        except IndexError:
            text = urlsafe_b64encode(os.urandom(_BYTES * _AT_ONCE)).decode()
            _ready.extend(text[at : at + _LENGTH] for at in range(0, len(text), _LENGTH))


if hasattr(os, "register_at_fork"):
    # What is left here belongs to the parent, who will use it too.
    os.register_at_fork(after_in_child=_ready.clear)
