"""The archive's tables. A change here comes with a migration; a test compares the two.

Names carry a prefix because `DATABASE_URL` may lead to a database that others use as well.

careerlens_jobs           one row per job; `finished_ms` is set exactly when the status is final
careerlens_late_outcomes  what a second run of an already final job said: for audits, never shown
careerlens_cursors        how far each queue's event stream has been recorded
careerlens_erased_users   hashes of erased users, so that a straggler does not bring a job back

The durable ledger needs no other table: it will insert its rows here, as `queued`, before a
creation is answered, and `careerlens_jobs_unfinished` is the list it reconciles.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text

# Key texts compare by code point: the order of a locale changes with the system's libraries,
# which would corrupt the indexes.
KEY = Text().with_variant(Text(collation="C"), "postgresql")

VERSION_TABLE = "careerlens_archive_version"

metadata = MetaData()

jobs = Table(
    "careerlens_jobs",
    metadata,
    Column("queue", KEY, primary_key=True),
    Column("job_id", KEY, primary_key=True),
    Column("created_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", KEY),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_ms", BigInteger),
    Column("finished_ms", BigInteger),
    Column("attempts_made", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("error", Text),
    Column("error_code", Text),
    Column("progress", Text),
    Column("result", Text),
)
Index("careerlens_jobs_history", jobs.c.owner, jobs.c.created_ms, jobs.c.queue, jobs.c.job_id)
Index("careerlens_jobs_by_id", jobs.c.job_id)
Index("careerlens_jobs_finished", jobs.c.finished_ms)
Index(
    "careerlens_jobs_unfinished",
    jobs.c.queue,
    jobs.c.created_ms,
    sqlite_where=text("finished_ms IS NULL"),
    postgresql_where=text("finished_ms IS NULL"),
)

late_outcomes = Table(
    "careerlens_late_outcomes",
    metadata,
    Column("queue", KEY, primary_key=True),
    Column("job_id", KEY, primary_key=True),
    Column("created_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("finished_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", KEY),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("error_code", Text),
    Column("result", Text),
)
Index("careerlens_late_outcomes_owner", late_outcomes.c.owner)

cursors = Table(
    "careerlens_cursors",
    metadata,
    Column("queue", KEY, primary_key=True),
    Column("position", Text, nullable=False),
)

erased_users = Table(
    "careerlens_erased_users",
    metadata,
    Column("owner_hash", KEY, primary_key=True),
    Column("erased_ms", BigInteger, nullable=False),
)
