"""The market data in an embedded DuckDB, asked by the queries in `queries/`.

The data never changes while a process runs, so answers are kept. DuckDB itself is loaded with
the first question: most processes that know the job type never ask one.
"""

from __future__ import annotations

import threading
from functools import cached_property, lru_cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from careerlens.career.market.profile import (
    MarketView,
    Role,
    RoleMatch,
    Source,
    Spelling,
    WantedSkill,
)
from careerlens.career.market.titles import MIN_SIMILARITY, TitleIndex

if TYPE_CHECKING:
    import duckdb

_HERE = files("careerlens.career.market")
_TABLES = ("source", "roles", "titles", "skills", "aliases", "demand")


class MarketStore:
    """Answers what the market asks for. Safe to share between threads; blocks while it asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def view(self, requested_title: str) -> MarketView:
        """What an analysis for this target role needs; without wants where no role is near."""
        match = self.match(requested_title)
        wanted = self.wanted(match.role.id) if match.role else ()
        names = {entry.skill for entry in wanted}
        return MarketView(
            match=match,
            wanted=wanted,
            # Other skills count by their sure spellings only; leaving the rest out makes the view,
            # which goes to another process for every job, a quarter of the size.
            spellings=tuple(one for one in self.spellings if one.sure or one.skill in names),
            source=self.source,
        )

    def match(self, requested_title: str) -> RoleMatch:
        """The role that a title means, when one is near enough."""
        nearest = self._titles.nearest(requested_title)
        near_enough = nearest is not None and nearest[2] >= MIN_SIMILARITY
        return RoleMatch(
            requested=requested_title,
            role=self.role(nearest[0]) if nearest and near_enough else None,
            nearest_title=nearest[1] if nearest else None,
            similarity=nearest[2] if nearest else 0.0,
        )

    def role(self, role_id: str) -> Role:
        """A role by its id. Raises `KeyError` when there is none."""
        rows = self._ask("role", role=role_id)
        if not rows:
            raise KeyError(role_id)
        (row,) = rows
        return Role(
            id=row[0],
            title=row[1],
            family=row[2],
            salary_low=row[3],
            salary_median=row[4],
            salary_high=row[5],
            currency=row[6],
        )

    def wanted(self, role_id: str) -> tuple[WantedSkill, ...]:
        """What a role's postings ask for, most wanted first."""
        return tuple(
            WantedSkill(
                skill=skill,
                category=category,
                demand_percent=demand,
                salary_uplift_percent=uplift,
                how_to_learn=learn,
            )
            for skill, category, demand, uplift, learn in self._ask("demand", role=role_id)
        )

    @cached_property
    def spellings(self) -> tuple[Spelling, ...]:
        """Every way to write every skill."""
        return tuple(
            Spelling(
                skill=skill,
                category=category,
                alias=alias,
                exact_form=form,
                listed_only=listed,
                sure=sure,
            )
            for skill, category, alias, form, listed, sure in self._ask("taxonomy")
        )

    @cached_property
    def source(self) -> Source:
        """Where the data came from."""
        ((name, as_of, postings, statement),) = self._ask("source")
        return Source(name=name, as_of=as_of, postings=postings, statement=statement)

    @cached_property
    def role_titles(self) -> tuple[tuple[str, str], ...]:
        """Every known title as (role id, title)."""
        return tuple((role, title) for role, title in self._ask("titles"))

    @cached_property
    def _titles(self) -> TitleIndex:
        return TitleIndex(self.role_titles)

    def _ask(self, query: str, **parameters: str) -> list[tuple[Any, ...]]:
        statement = (_HERE / "queries" / f"{query}.sql").read_text("utf-8")
        with self._lock:
            return self._connection.execute(statement, parameters or None).fetchall()

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        connection = duckdb.connect(":memory:", config={"threads": 1})
        connection.execute((_HERE / "queries" / "schema.sql").read_text("utf-8"))
        for table in _TABLES:
            with as_file(_HERE / "data" / f"{table}.csv") as path:
                connection.execute(f"COPY {table} FROM '{_quoted(str(path))}' (HEADER)")
        connection.execute("SET enable_external_access = false")
        return connection


def _quoted(path: str) -> str:
    """A path inside single quotes: COPY takes no parameters."""
    return path.replace("'", "''")


@lru_cache(maxsize=1)
def shipped_market() -> MarketStore:
    """The one store of this process over the shipped data."""
    return MarketStore()
