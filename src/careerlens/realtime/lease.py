"""A short lease in Redis: at most one holder at a time, and none for long after one dies."""

from __future__ import annotations

import asyncio
import secrets
import time

from careerlens.foundation.errors import CareerLensError, ServiceUnavailableError
from careerlens.realtime._scripts import script
from careerlens.wire.link import Link

DURATION_MS = 2_000
_RENEWALS_PER_DURATION = 4


class LeaseLostError(CareerLensError):
    """Somebody else may hold the lease now: stop, write nothing, and stand by."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the lease {key} is no longer ours")
        self.key = key


class Lease:
    """The right to relay one queue. Every write made under it must name its `token`."""

    def __init__(self, link: Link, key: str, *, duration_ms: int = DURATION_MS) -> None:
        self.key = key
        self.duration_ms = duration_ms
        self.token = secrets.token_hex(16)
        self._link = link

    async def acquire(self) -> bool:
        """Take the lease if nobody has it."""
        # A new token for each tenure: a write that was delayed since an earlier one is refused.
        self.token = secrets.token_hex(16)
        reply = await self._link.call("SET", self.key, self.token, "NX", "PX", self.duration_ms)
        return reply is not None

    async def keep(self) -> None:
        """Renew the lease for as long as this task lives.

        Raises `LeaseLostError` once it may be somebody else's: counted from when a renewal was
        asked for, not from when it was answered.
        """
        pause = self.duration_ms / 1000 / _RENEWALS_PER_DURATION
        held_until = time.monotonic() + self.duration_ms / 1000
        while True:
            await asyncio.sleep(pause)
            asked = time.monotonic()
            try:
                async with asyncio.timeout(max(held_until - asked, 0)):
                    held = await self._link.run(
                        script("lease-renew"), [self.key], [self.token, self.duration_ms]
                    )
            except ServiceUnavailableError:
                held = int(time.monotonic() < held_until)
            except TimeoutError:
                raise LeaseLostError(self.key) from None
            else:
                held_until = asked + self.duration_ms / 1000
            if not held:
                raise LeaseLostError(self.key)

    async def release(self) -> None:
        """Give the lease back, so that another need not wait for it to run out."""
        await self._link.run(script("lease-release"), [self.key], [self.token])
