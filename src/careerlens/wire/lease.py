"""A short lease: at most one holder at a time, and none for long after one dies.

It saves work, and guards no data: a holder that was frozen for a minute still believes in it.
Whoever writes under a lease names its `token`, or what they read before, in the same step.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Never

from careerlens.foundation.errors import (
    CareerLensError,
    OutcomeUnknownError,
    ServiceUnavailableError,
)
from careerlens.foundation.logging import get_logger
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link
from careerlens.wire.scripts import own_script

_RENEWALS_PER_DURATION = 4
# The server counts from when it set the key, which is later than we asked; clocks also drift.
_TRUSTED_SHARE = 0.9
_FAREWELL_S = 1.0
_TROUBLE = (ServiceUnavailableError, CommandRejectedError, TimeoutError)
_log = get_logger("careerlens.lease")


class LeaseLostError(CareerLensError):
    """Somebody else may hold the lease now: stop, write nothing, and stand by."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"the lease {key} is no longer ours: {why}")
        self.key = key


class Lease:
    """A key on the server that holds our token for `duration_s` seconds at a time."""

    def __init__(self, link: Link, key: str, *, duration_s: float) -> None:
        self.key = key
        self.duration_s = duration_s
        self.token = ""
        self._link = link
        self._trusted_until = 0.0

    @property
    def duration_ms(self) -> int:
        """`duration_s` as the server takes it."""
        return int(self.duration_s * 1000)

    async def acquire(self) -> bool:
        """Take the lease if nobody has it. Raises as `Link.call` does.

        Cancelled, or without a reply, it gives back what it may have taken.
        """
        # A new token for each tenure: a write that was delayed since an earlier one is refused.
        self.token = secrets.token_hex(16)
        asked_at = time.monotonic()
        try:
            reply = await self._link.call("SET", self.key, self.token, "NX", "PX", self.duration_ms)
        except (asyncio.CancelledError, OutcomeUnknownError):
            await self.release()
            raise
        self._trust_from(asked_at)
        return reply is not None

    async def keep(self) -> Never:
        """Renew the lease for as long as this task lives.

        A failed renewal is tried again while the last one counts. Raises `LeaseLostError` once
        the lease may be somebody else's: counted from when a renewal was asked for, not from
        when it was answered.
        """
        while True:
            await asyncio.sleep(self.duration_s / _RENEWALS_PER_DURATION)
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(max(self._trusted_until - asked_at, 0)):
                    is_held = await self._link.run(
                        own_script("lease-renew"), [self.key], [self.token, self.duration_ms]
                    )
            except _TROUBLE as error:
                if time.monotonic() >= self._trusted_until:
                    raise LeaseLostError(self.key, f"not renewed in time ({error})") from error
                continue
            if not is_held:
                raise LeaseLostError(self.key, "it ran out")
            self._trust_from(asked_at)

    async def release(self) -> None:
        """Give the lease back, so that another need not wait for it to run out, if that works."""
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self._link.run(own_script("lease-release"), [self.key], [self.token])
        except _TROUBLE as error:
            _log.info("lease_left_to_run_out", key=self.key, problem=str(error))

    def _trust_from(self, asked_at: float) -> None:
        self._trusted_until = asked_at + self.duration_s * _TRUSTED_SHARE
