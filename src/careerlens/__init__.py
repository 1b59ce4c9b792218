"""CareerLens Jobs: background work from the click to the live progress bar, self-hosted."""

from importlib.metadata import version as _version

__version__ = _version("careerlens-jobs")

__all__ = ["__version__"]
