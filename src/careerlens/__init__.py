"""CareerLens Jobs: background work from the click to the live progress bar, self-hosted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    # Asked for by few and slow to find out, and every child process passes through here.
    if name == "__version__":
        from importlib.metadata import version

        return version("careerlens-jobs")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
