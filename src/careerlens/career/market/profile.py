"""Market data in the form that the analysis takes: plain, small, and quick to carry over.

This module imports next to nothing, since the child process of the analysis loads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

ESSENTIAL_PERCENT = 60.0
IMPORTANT_PERCENT = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A role of the market data. Salaries are yearly."""

    id: str
    title: str
    family: str
    salary_low: int
    salary_median: int
    salary_high: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedSkill:
    """A skill that a role's postings ask for; uplift is against the role's median pay."""

    skill: str
    category: str
    demand_percent: float
    salary_uplift_percent: float | None
    how_to_learn: str | None

    @property
    def importance(self) -> str:
        """The word for its demand, as in `report.Importance`."""
        if self.demand_percent >= ESSENTIAL_PERCENT:
            return "essential"
        return "important" if self.demand_percent >= IMPORTANT_PERCENT else "useful"


@dataclass(frozen=True, kw_only=True, slots=True)
class Spelling:
    """One way to write a skill; see `data/README.md` for the flags."""

    skill: str
    category: str
    alias: str
    exact_form: str | None
    listed_only: bool
    sure: bool

    def to_row(self) -> list[Any]:
        """The fields in order: there are thousands of spellings, so names would double the size."""
        return [
            self.skill, self.category, self.alias, self.exact_form, self.listed_only, self.sure
        ]  # fmt: skip

    @classmethod
    def from_row(cls, row: list[Any]) -> Spelling:
        """The other half of `to_row`."""
        skill, category, alias, exact_form, listed_only, sure = row
        return cls(
            skill=skill,
            category=category,
            alias=alias,
            exact_form=exact_form,
            listed_only=listed_only,
            sure=sure,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where the data came from. `postings` is None for estimates of an editor."""

    name: str
    as_of: str
    postings: int | None
    statement: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleMatch:
    """Which role a requested title was taken for; `role` is None when none is near enough."""

    requested: str
    role: Role | None
    nearest_title: str | None
    similarity: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketView:
    """What one analysis needs to know of the market."""

    match: RoleMatch
    wanted: tuple[WantedSkill, ...]
    spellings: tuple[Spelling, ...]
    source: Source

    def to_json(self) -> bytes:
        """The view as JSON, for `from_json` in another process."""
        return json.dumps(
            {
                "match": asdict(self.match),
                "wanted": [asdict(entry) for entry in self.wanted],
                "spellings": [entry.to_row() for entry in self.spellings],
                "source": asdict(self.source),
            }
        ).encode()

    @classmethod
    def from_json(cls, body: bytes) -> MarketView:
        """The other half of `to_json`."""
        raw = json.loads(body)
        match = raw["match"]
        role = Role(**match["role"]) if match["role"] else None
        return cls(
            match=RoleMatch(**{**match, "role": role}),
            wanted=tuple(WantedSkill(**entry) for entry in raw["wanted"]),
            spellings=tuple(Spelling.from_row(row) for row in raw["spellings"]),
            source=Source(**raw["source"]),
        )
