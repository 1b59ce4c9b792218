"""What happened to every job, kept in SQL after Redis forgets it.

queue's event stream ──▶ Recorder ──▶ ArchiveStore (SQLite or PostgreSQL) ──▶ history, status
       ▲                    │                │
       └── its position ◀───┴── one transaction: the rows, and how far the stream was read
"""

from careerlens.archive.recorder import run_recorder
from careerlens.archive.records import ArchivedJob, HistoryPage
from careerlens.archive.store import ArchiveStore

__all__ = ["ArchiveStore", "ArchivedJob", "HistoryPage", "run_recorder"]
