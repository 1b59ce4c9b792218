"""What a process of ours says of itself when an orchestrator asks: the same words from each.

    GET /health/live    200  {"status": "live"}
    GET /health/ready   200  {"status": "ready",     "checks": {…}}
                        200  {"status": "degraded",  "checks": {…}}   it serves, with less
                        503  {"status": "not ready", "checks": {…}}
                        503  {"status": "draining", …}                it is about to stop

A check is `ok` or `unavailable`, or a count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from careerlens.foundation.errors import CareerLensError

LIVE_PATH = "/health/live"
READY_PATH = "/health/ready"
CHECK_TIMEOUT_S = 1.8
"""Below the two seconds after which those who ask tend to give up."""


class Condition(StrEnum):
    """How a process is."""

    LIVE = "live"
    READY = "ready"
    DEGRADED = "degraded"
    NOT_READY = "not ready"
    DRAINING = "draining"


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """An answer: the process's condition, and what was looked at to tell it."""

    condition: Condition
    checks: dict[str, str | int] = field(default_factory=dict)

    @property
    def http_status(self) -> int:
        """503 where no work should be sent, or else 200."""
        return 503 if self.condition in {Condition.NOT_READY, Condition.DRAINING} else 200

    def as_wire(self) -> dict[str, object]:
        """The answer's body."""
        answer: dict[str, object] = {"status": self.condition.value}
        return answer | {"checks": self.checks} if self.checks else answer

    @classmethod
    def from_wire(cls, body: Any) -> Health:
        """Read an answer's body. Raises `ValueError` when it is none of ours."""
        if not isinstance(body, dict) or not isinstance(body.get("checks", {}), dict):
            raise ValueError(f"not an answer about health: {body!r}")
        return cls(condition=Condition(str(body.get("status"))), checks=body.get("checks", {}))


LIVE = Health(condition=Condition.LIVE)


def word(works: bool) -> str:
    """How a check that passed or failed is told."""
    return "ok" if works else "unavailable"


async def works(check: Callable[[], Awaitable[object]]) -> bool:
    """Whether a check comes to its end in time, without an error of ours."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except (CareerLensError, TimeoutError):
        return False
    return True
