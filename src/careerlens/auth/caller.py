"""Who is calling, once that is proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A proven identity.

    `expires_at` is epoch seconds, None where nothing expires (the development header).
    """

    user_id: str
    expires_at: float | None
    method: Literal["token", "development"]
