"""Which database the archive is in, and how each of the two kinds is set up for us."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from careerlens.foundation.errors import ConfigurationError

POOL_SIZE = 5
WRITES = {"careerlens_writes": True}
"""Execution options of a transaction that will write; see `_begin_sqlite`."""

SETTING = "DATABASE_URL"
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


def parse_database_url(text_url: str) -> URL:
    """`text_url` with the driver we use, in the words of that driver.

    `postgres://` and `postgresql://` (with libpq's `sslmode`), `sqlite:///file`; others raise
    `ConfigurationError`, which never repeats the URL, since it may hold a password.
    """
    try:
        url = make_url(text_url)
    except ArgumentError:
        raise ConfigurationError(
            SETTING, "it is not a database URL.", "Use postgresql://… or sqlite:///file."
        ) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigurationError(
            SETTING,
            f"the scheme {url.drivername!r} is not known.",
            "Use postgresql://… or sqlite:///file.",
        )
    if driver == "postgresql+asyncpg" and importlib.util.find_spec("asyncpg") is None:
        raise ConfigurationError(
            SETTING,
            "PostgreSQL needs the package asyncpg.",
            "Install it with: pip install 'careerlens-jobs[postgres]'",
        )
    if driver == "sqlite+aiosqlite" and url.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            SETTING,
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
