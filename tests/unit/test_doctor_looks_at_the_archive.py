"""`careerlens doctor` says whether the archive's database can be used, and what to do if not."""

from __future__ import annotations

from pathlib import Path

import pytest

from careerlens.cli.checks import Verdict, _archive
from careerlens.foundation.settings import Settings
from support import free_port


def settings(tmp_path: Path, url: str) -> Settings:
    """Settings of a folder of its own with this database."""
    return Settings(CAREERLENS_HOME=tmp_path, DATABASE_URL=url or None, _env_file=None)


async def test_archive_that_answers_is_fine(tmp_path: Path) -> None:
    finding = await _archive(settings(tmp_path, ""))
    assert finding.verdict is Verdict.OK
    assert "SQLite" in finding.found
    assert (tmp_path / "archive.db").exists()


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:{port}/x", "mysql://u:hunter2@h/x"]
)
async def test_archive_that_cannot_be_used_is_told_with_a_remedy(tmp_path: Path, url: str) -> None:
    finding = await _archive(settings(tmp_path, url.format(port=free_port())))
    assert finding.verdict is Verdict.PROBLEM
    assert finding.remedy
    assert "hunter2" not in finding.found
