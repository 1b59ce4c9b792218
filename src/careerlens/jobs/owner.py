"""Whose job an id names: one function for ours and for those of foreign producers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from careerlens.foundation.users import is_valid_user_id
from careerlens.jobs.ids import parse_job_id


def owner_of(job_id: str, data: Mapping[str, Any] | None) -> str | None:
    """The user the job belongs to; None when nobody can be named.

    Our ids say it themselves, whatever the data claims. A foreign producer's id says nothing,
    and `userId` in the job's data decides.
    """
    ours = parse_job_id(job_id)
    if ours is not None:
        return ours.user_id
    if data is None:
        return None
    claimed = data.get("userId")
    return claimed if isinstance(claimed, str) and is_valid_user_id(claimed) else None
