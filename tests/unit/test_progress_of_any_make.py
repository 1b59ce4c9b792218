"""Progress is shown as well as it can be, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from careerlens.jobs.model import JobProgress
from careerlens.jobs.progress import read_progress


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (42, JobProgress(percent=42)),
        (-3, JobProgress(percent=0)),
        (250, JobProgress(percent=100)),
        (
            {"percent": 40, "message": "Reading", "step": "read", "data": {"page": 1}},
            JobProgress(percent=40, message="Reading", step="read", data={"page": 1}),
        ),
        (
            {"percent": 140, "message": "Nearly", "extra": 1},
            JobProgress(percent=100, message="Nearly"),
        ),
        ({"percentage": 7}, JobProgress(percent=7)),
        ({"percent": 5, "message": 9, "step": []}, JobProgress(percent=5)),
        ({"done": 3, "of": 9}, None),
        ({"percent": "40"}, JobProgress(percent=40)),
        (True, None),
        ("half", None),
        (float("nan"), None),
        (None, None),
        ([50], None),
    ],
)
def test_progress_is_read(raw: Any, shown: JobProgress | None) -> None:
    assert read_progress(raw) == shown
