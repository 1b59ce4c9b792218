"""The databases that every archive store is proved on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres

# Decided while collecting and not by skipping: where PostgreSQL cannot run, there is no such test.
ARCHIVE_ENGINES = ["sqlite", "postgresql"] if postgres.is_available() else ["sqlite"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """One PostgreSQL cluster for the run. Tests must not kill it."""
    server = postgres.Postgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=ARCHIVE_ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive' / 'archive.db'}"
    server: postgres.Postgres = request.getfixturevalue("postgres_server")
    return server.new_database()
