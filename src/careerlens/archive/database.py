"""Opening the archive's database: which engine, how it is set up, and its schema brought up."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.logging import get_logger

POOL_SIZE = 5
WRITES = {"careerlens_writes": True}
"""Execution options of a transaction that will write; see `_begin_sqlite`."""

_SETTING = "DATABASE_URL"
# Any number; two processes that start at once agree on it.
_MIGRATION_LOCK = 0x6361_7265_6572
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
# What libpq's URLs may carry and asyncpg knows by another name, or not at all.
_RENAMED_OPTIONS = {"sslmode": "ssl"}
_UNKNOWN_OPTIONS = frozenset({"channel_binding", "gssencmode"})
_log = get_logger("careerlens.archive")
# Alembic keeps the migration in progress in module globals: one at a time, then. By loop, since
# that is what a lock belongs to.
_migrating: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def parse_database_url(text_url: str) -> URL:
    """`text_url` with the driver we use, in the words of that driver.

    `postgres://` and `postgresql://` (with libpq's `sslmode`), `sqlite:///file`; others raise
    `ConfigurationError`, which never repeats the URL, since it may hold a password.
    """
    try:
        url = make_url(text_url)
    except ArgumentError:
        raise ConfigurationError(
            _SETTING, "it is not a database URL.", "Use postgresql://… or sqlite:///file."
        ) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigurationError(
            _SETTING,
            f"the scheme {url.drivername!r} is not known.",
            "Use postgresql://… or sqlite:///file.",
        )
    if driver == "postgresql+asyncpg" and importlib.util.find_spec("asyncpg") is None:
        raise ConfigurationError(
            _SETTING,
            "PostgreSQL needs the package asyncpg.",
            "Install it with: pip install 'careerlens-jobs[postgres]'",
        )
    if driver == "sqlite+aiosqlite" and url.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            _SETTING,
            "an archive in memory would be forgotten at every start.",
            "Name a file, as in sqlite:////var/lib/careerlens/archive.db",
        )
    url = url.set(drivername=driver)
    return url.set(query=_driver_options(url.query)) if "asyncpg" in driver else url


def _driver_options(query: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _RENAMED_OPTIONS.get(name, name): value
        for name, value in query.items()
        if name not in _UNKNOWN_OPTIONS
    }


def create_engine(url: URL, *, timeout_s: float) -> AsyncEngine:
    """An engine whose every wait ends within about `timeout_s` seconds. It connects when used."""
    if url.drivername == "sqlite+aiosqlite":
        return _create_sqlite_engine(url, timeout_s)
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=timeout_s,
        pool_pre_ping=True,
        connect_args={
            "timeout": timeout_s,
            "command_timeout": timeout_s,
            "server_settings": {"application_name": "careerlens-archive"},
        },
        hide_parameters=True,
    )


def _create_sqlite_engine(url: URL, timeout_s: float) -> AsyncEngine:
    # A writer that waits for another one gives up by itself, before our own patience ends:
    # a statement cannot be called back from its thread.
    busy_timeout_ms = int(timeout_s * 800)
    engine = create_async_engine(
        url, pool_size=POOL_SIZE, max_overflow=0, pool_timeout=timeout_s, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver would begin transactions by its own rules, and not before a SELECT or DDL.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # A power cut may take the newest commits with it, and their cursor in the same step, so
        # they are recorded again from the event stream.
        cursor.execute("PRAGMA synchronous = NORMAL")
        # An erased user's words are overwritten, not just unlinked.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when somebody else wrote in
    # between; one that says at its start that it will write waits for its turn.
    writes = connection.get_execution_options().get("careerlens_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def prepare_folder(url: URL) -> None:
    """Make the folder of a SQLite file, readable by its owner alone."""
    if url.drivername == "sqlite+aiosqlite" and url.database is not None:
        folder = Path(url.database).parent
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to the newest revision, in one transaction, one process at a time.

    Raises `ConfigurationError` when a newer release has written this database.
    """
    turn = _migrating.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with turn, engine.connect() as plain:
        connection = await plain.execution_options(**WRITES)
        async with connection.begin():
            if engine.dialect.name == "postgresql":
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK}
                )
            await connection.run_sync(_upgrade)


def migration_scripts() -> ScriptDirectory:
    """Our migrations, as Alembic sees them."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


def _upgrade(connection: Connection) -> None:
    run_migrations(connection, "head", downwards=False)


def run_migrations(connection: Connection, revision: str, *, downwards: bool) -> None:
    """Move the schema on `connection` to `revision`, inside the transaction it has begun."""
    config = Config(attributes={"connection": connection})
    scripts = migration_scripts()

    def steps(current: Any, _context: Any) -> Any:
        plan = scripts._downgrade_revs if downwards else scripts._upgrade_revs
        to_do = plan(revision, current)
        if to_do:
            _log.info("archive_schema_changes", steps=len(to_do), to=revision)
        return to_do

    try:
        with EnvironmentContext(config, scripts, fn=steps):
            scripts.run_env()
    except CommandError as error:
        raise ConfigurationError(
            _SETTING,
            f"this archive was written by another release ({error}).",
            "Upgrade CareerLens, or point to another database.",
        ) from None
