"""Who is calling, once that is proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A proven identity.

    `expires_at` is epoch seconds, None where nothing expires (the development header).
    `signed_in_at`, epoch seconds too, is what revocations are compared with: when the user signed
    in with Firebase, or when a token of ours was issued; None where the token does not tell.
    """

    user_id: str
    expires_at: float | None
    method: Literal["token", "development"]
    signed_in_at: float | None = None
