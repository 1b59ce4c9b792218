"""The shipped market data holds together and says what it is."""

from __future__ import annotations

from collections import Counter

import pytest

from careerlens.career.market.profile import MarketView
from careerlens.career.market.store import MarketStore, shipped_market

STORE = shipped_market()
ROLES = sorted({role for role, _ in STORE.role_titles})


def test_there_are_roles_of_many_trades() -> None:
    families = Counter(STORE.role(role).family for role in ROLES)
    assert len(ROLES) >= 16
    assert len(families) >= 7


@pytest.mark.parametrize("role_id", ROLES)
def test_each_role_is_complete(role_id: str) -> None:
    role, wanted = STORE.role(role_id), STORE.wanted(role_id)
    assert 0 < role.salary_low < role.salary_median < role.salary_high
    assert len(wanted) >= 20
    assert [entry.demand_percent for entry in wanted] == sorted(
        (entry.demand_percent for entry in wanted), reverse=True
    )
    assert all(0 < entry.demand_percent <= 100 for entry in wanted)
    assert len({entry.skill for entry in wanted}) == len(wanted)
    assert any(entry.importance == "essential" for entry in wanted)


def test_every_wanted_skill_can_be_found_by_its_own_name() -> None:
    named = {one.skill for one in STORE.spellings if one.alias == one.skill}
    wanted = {entry.skill for role in ROLES for entry in STORE.wanted(role)}
    assert wanted <= named


def test_the_source_says_that_it_is_a_curated_sample() -> None:
    assert "curated" in STORE.source.name
    assert "not a live feed" in STORE.source.statement
    assert STORE.source.postings is None


def test_a_view_survives_the_way_to_another_process() -> None:
    view = STORE.view("Registered Nurse")
    assert MarketView.from_json(view.to_json()) == view


def test_an_unknown_role_id_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        STORE.role("astronaut")


def test_titles_are_parameters_and_never_sql() -> None:
    store = MarketStore()
    view = store.view("'; DROP TABLE roles; --")
    assert view.match.role is None
    assert store.role("accountant").title == "Accountant"
