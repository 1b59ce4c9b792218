"""How much of a file we read before we say no."""

from __future__ import annotations

from typing import Final

WALL_SECONDS: Final = 30.0
CPU_SECONDS: Final = 20.0
MEMORY_BYTES: Final = 512 * 1024 * 1024

MAX_PAGES: Final = 50
MAX_CHARACTERS: Final = 200_000

MAX_ARCHIVE_ENTRIES: Final = 2_000
MAX_INFLATED_BYTES: Final = 50 * 1024 * 1024
MAX_RATIO: Final = 100
RATIO_COUNTS_FROM_BYTES: Final = 1024 * 1024
"""Small parts may be as repetitive as they like: a ratio says nothing there."""
