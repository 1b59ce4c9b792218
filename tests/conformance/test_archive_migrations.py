"""The migrations, replayed, give exactly the tables that the code works with."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from careerlens.archive.engine import create_engine, parse_database_url, prepare_folder
from careerlens.archive.migrating import migrate, migration_scripts, run_migrations
from careerlens.archive.tables import VERSION_TABLE, metadata
from careerlens.foundation.errors import ConfigurationError


def differences(connection: Connection) -> list[object]:
    """What Alembic would still change on `connection` to reach our tables."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return list(compare_metadata(context, metadata))


def tables(connection: Connection) -> set[str]:
    """The tables that exist on `connection`."""
    return set(inspect(connection).get_table_names())


async def test_replayed_migrations_equal_the_tables_and_can_be_taken_back(
    database_url: str,
) -> None:
    url = parse_database_url(database_url)
    await prepare_folder(url)
    engine = create_engine(url, timeout_s=5)
    try:
        await migrate(engine)
        await migrate(engine)
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        async with engine.begin() as connection:
            await connection.run_sync(run_migrations, "base", downwards=True)
        async with engine.connect() as connection:
            assert await connection.run_sync(tables) == {VERSION_TABLE}
    finally:
        await engine.dispose()


async def test_archive_of_a_newer_release_is_left_alone(database_url: str) -> None:
    url = parse_database_url(database_url)
    await prepare_folder(url)
    engine = create_engine(url, timeout_s=5)
    try:
        await migrate(engine)
        async with engine.begin() as connection:
            await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        with pytest.raises(ConfigurationError, match="another release"):
            await migrate(engine)
    finally:
        await engine.dispose()


def test_history_of_migrations_is_one_line() -> None:
    assert len(migration_scripts().get_heads()) == 1
