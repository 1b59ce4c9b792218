"""The roles we hold market data for, by name, read without loading the database."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def role_titles() -> tuple[str, ...]:
    """The titles of all roles, in the order of the data."""
    table = files("careerlens.career.market").joinpath("data", "roles.csv")
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return tuple(row["title"] for row in rows)
