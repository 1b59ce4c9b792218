"""What the claims of a proven token must say, whoever signed it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from careerlens.auth.compact import malformed
from careerlens.foundation.errors import AuthenticationError

LEEWAY_S = 10.0
"""How far the issuer's clock may be off from ours."""
_LATEST_TIME = 253_402_300_800.0  # the year 10000: beyond it a number is no date


def require_valid_times(
    claims: Mapping[str, Any], *, now: float, past: tuple[str, ...] = ()
) -> float:
    """Check `exp`, `nbf` and `iat`, and return the expiry in epoch seconds.

    `past` names claims that must be there and lie in the past.

    Raises `AuthenticationError` for a missing, mistyped, expired or future time.
    """
    expires_at = _time(claims, "exp")
    if expires_at + LEEWAY_S <= now:
        raise AuthenticationError("The token has expired. Sign in again.")
    for name in ("nbf", "iat", *past):
        if (name in claims or name in past) and _time(claims, name) > now + LEEWAY_S:
            raise AuthenticationError("The token is not valid yet. Check the clocks.")
    return expires_at


def require_exact(claims: Mapping[str, Any], name: str, expected: str) -> None:
    """Check that a claim is exactly this text: no list, no prefix.

    Raises `AuthenticationError` when it is not.
    """
    if claims.get(name) != expected:
        raise malformed()


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed()
    if not (math.isfinite(value) and 0 < value < _LATEST_TIME):
        raise malformed()
    return float(value)
