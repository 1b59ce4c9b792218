"""How long a request may wait for what is behind us."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from careerlens.foundation.errors import OutcomeUnknownError
from careerlens.foundation.patience import patience

ANSWER_WITHIN_S = 1.9

T = TypeVar("T")


async def in_time(work: Awaitable[T], *, within_s: float = ANSWER_WITHIN_S) -> T:
    """Await `work`, but no longer than a caller should wait for bad news.

    Raises `OutcomeUnknownError` when it takes longer: a server that hangs, not one that is gone.
    """
    try:
        with patience(within_s):
            return await work
    except TimeoutError:
        raise OutcomeUnknownError("storage", f"no answer within {within_s:g} s") from None
