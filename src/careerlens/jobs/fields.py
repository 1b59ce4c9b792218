"""Marks for the fields of a job's input model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to tell a person whose value for this field is missing or wrong.

    One sentence in the imperative, for example
    `target_role: Annotated[str, Remedy("tell us the role you are aiming for")]`.
    """

    text: str


@dataclass(frozen=True, slots=True)
class _ServerFilled:
    """Type of `ServerFilled`."""


ServerFilled = _ServerFilled()
"""Marks a field that only our own code fills: it is no part of the public schema, and a client
that sends it is told that the field is unknown."""
