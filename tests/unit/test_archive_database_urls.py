"""Which database a `DATABASE_URL` leads to, and what is said about one that leads nowhere."""

from __future__ import annotations

import pytest

from careerlens.archive.engine import parse_database_url
from careerlens.foundation.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "driver", "query"),
    [
        ("postgres://u:p@db:5432/jobs", "postgresql+asyncpg", {}),
        ("postgresql://u:p@db/jobs?sslmode=require", "postgresql+asyncpg", {"ssl": "require"}),
        (
            "postgresql+asyncpg://u@db/jobs?sslmode=disable&channel_binding=prefer",
            "postgresql+asyncpg",
            {"ssl": "disable"},
        ),
        (
            "postgresql:///jobs?host=/cloudsql/a:b:c",
            "postgresql+asyncpg",
            {"host": "/cloudsql/a:b:c"},
        ),
        ("sqlite:////var/lib/archive.db", "sqlite+aiosqlite", {}),
        ("sqlite+aiosqlite:///archive.db", "sqlite+aiosqlite", {}),
    ],
)
def test_common_spellings_lead_to_our_drivers(
    given: str, driver: str, query: dict[str, str]
) -> None:
    url = parse_database_url(given)
    assert url.drivername == driver
    assert dict(url.query) == query


@pytest.mark.parametrize(
    "given",
    ["mysql://root:hunter2@db/jobs", "not a url hunter2", "sqlite://", "sqlite:///:memory:", ""],
)
def test_other_urls_are_refused_without_repeating_a_password(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(given)
    assert caught.value.setting == "DATABASE_URL"
    assert caught.value.remedy
    assert "hunter2" not in str(caught.value)
