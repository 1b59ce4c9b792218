"""Alembic's entry. The product hands over a connection; there is no separate configuration."""

from __future__ import annotations

from alembic import context

from careerlens.archive.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # A database may be shared: only our own tables are compared when a migration is drafted.
    include_name=lambda name, kind, _parents: kind != "table" or name in metadata.tables,
)
with context.begin_transaction():
    context.run_migrations()
