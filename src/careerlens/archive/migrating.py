"""Bringing the archive's schema to where this release wants it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from careerlens.archive.engine import SETTING, WRITES
from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.logging import get_logger

# Any number; two processes that start at once agree on it.
_MIGRATION_LOCK = 0x6361_7265_6572
_log = get_logger("careerlens.archive")
# Alembic keeps the migration in progress in module globals: one at a time, then. By loop, since
# that is what a lock belongs to.
_migrating: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


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
            SETTING,
            f"this archive was written by another release ({error}).",
            "Upgrade CareerLens, or point to another database.",
        ) from None
