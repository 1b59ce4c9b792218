"""JSON that others wrote, read so that it can be written again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|.)",
    re.DOTALL,
)


def parse_foreign(text: str, *, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """As `json.loads`, with U+FFFD for each half of a surrogate pair.

    JavaScript cuts texts inside an emoji without noticing, and writes such halves as escapes;
    no UTF-8 can hold them, so nothing that contains one could be sent on or stored.
    """
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(lambda found: "\\ufffd" if found["half"] else found[0], text)
    return json.loads(text, parse_constant=parse_constant)
