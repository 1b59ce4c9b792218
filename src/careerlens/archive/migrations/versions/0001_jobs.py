"""Jobs, late outcomes, cursors and erased users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Bring the schema here from an empty database."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "careerlens_jobs",
        sa.Column("queue", key, primary_key=True),
        sa.Column("job_id", key, primary_key=True),
        sa.Column("created_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("owner", key),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("finished_ms", sa.BigInteger),
        sa.Column("attempts_made", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("progress", sa.Text),
        sa.Column("result", sa.Text),
    )
    op.create_index(
        "careerlens_jobs_history", "careerlens_jobs", ["owner", "created_ms", "queue", "job_id"]
    )
    op.create_index("careerlens_jobs_by_id", "careerlens_jobs", ["job_id"])
    op.create_index("careerlens_jobs_finished", "careerlens_jobs", ["finished_ms"])
    op.create_index(
        "careerlens_jobs_unfinished",
        "careerlens_jobs",
        ["queue", "created_ms"],
        sqlite_where=sa.text("finished_ms IS NULL"),
        postgresql_where=sa.text("finished_ms IS NULL"),
    )
    op.create_table(
        "careerlens_late_outcomes",
        sa.Column("queue", key, primary_key=True),
        sa.Column("job_id", key, primary_key=True),
        sa.Column("created_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("finished_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("owner", key),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("result", sa.Text),
    )
    op.create_index("careerlens_late_outcomes_owner", "careerlens_late_outcomes", ["owner"])
    op.create_table(
        "careerlens_cursors",
        sa.Column("queue", key, primary_key=True),
        sa.Column("position", sa.Text, nullable=False),
    )
    op.create_table(
        "careerlens_erased_users",
        sa.Column("owner_hash", key, primary_key=True),
        sa.Column("erased_ms", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Take everything back."""
    for table in ("jobs", "late_outcomes", "cursors", "erased_users"):
        op.drop_table(f"careerlens_{table}")
