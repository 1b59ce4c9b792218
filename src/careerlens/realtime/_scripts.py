"""Our Lua for feeds and leases, from `lua/`."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from careerlens.wire.scripts import Script

_FOLDER = Path(__file__).parent / "lua"


@cache
def script(name: str) -> Script:
    """The script `lua/{name}.lua`, ready to be run over a `Link`."""
    source = (_FOLDER / f"{name}.lua").read_bytes()
    # EVALSHA names scripts by SHA-1; nothing here relies on it for safety.
    sha = hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
    return Script(name, source, sha)
