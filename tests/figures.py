"""How large tests of faults are, small by default and whole in `make soak`; and what they show."""

from __future__ import annotations

import os

IS_WHOLE = bool(os.environ.get("WHOLE"))


def sized(small: int, whole: int) -> int:
    """The size of a test here and now."""
    return whole if IS_WHOLE else small


def show(row: str, **figures: object) -> None:
    """Print what a test has counted; pytest shows it in `make soak`, and of a test that fails."""
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
    print(f"\n{row}: {told}", flush=True)
