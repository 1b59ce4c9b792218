"""One recorder at a time, among however many processes could be it.

The lease saves work; it does not guard the data. Whoever writes names the position that it read,
and the database refuses all but one (`StalePositionError`), so a holder that was stopped for a
minute and wakes up can do no harm.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link

_log = get_logger("careerlens.archive.lease")

# KEYS: the lease. ARGV: our token, milliseconds. Returns 1, or 0 when it is not ours any more.
_RENEW = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("PEXPIRE", KEYS[1], ARGV[2])
end
return 0
"""
# KEYS: the lease. ARGV: our token. Returns the number of keys deleted.
_RELEASE = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("DEL", KEYS[1])
end
return 0
"""


_FAREWELL_S = 1.0
_TROUBLE = (ServiceUnavailableError, CommandRejectedError)


class LeaseLostError(Exception):
    """The lease ran out or went to somebody else: stop what it allowed."""


class Lease:
    """A key in Redis with our token in it, for `ttl_s` seconds at a time."""

    def __init__(self, link: Link, key: str, *, ttl_s: float = 6.0) -> None:
        self._link = link
        self._key = key
        self._ttl_s = ttl_s
        self._token = secrets.token_hex(16)
        self._trusted_until = 0.0

    async def acquire(self) -> None:
        """Wait until the lease is ours, for as long as that takes, an absent Redis included."""
        complained = False
        while True:
            asked = time.monotonic()
            try:
                if await self._link.call("SET", self._key, self._token, "NX", "PX", self._ttl_ms):
                    self._trust_from(asked)
                    return
            except _TROUBLE as error:
                if not complained:
                    _log.warning("lease_unreachable", key=self._key, problem=str(error))
                    complained = True
            await asyncio.sleep(self._ttl_s / 3)

    async def keep(self) -> None:
        """Renew for ever. Raises `LeaseLostError` once the lease cannot be trusted any more.

        A failed renewal is tried again while the last one still counts, from when it was asked.
        """
        while True:
            await asyncio.sleep(self._ttl_s / 4)
            asked = time.monotonic()
            try:
                async with asyncio.timeout(max(self._trusted_until - asked, 0)):
                    renewed = await self._link.call(
                        "EVAL", _RENEW, 1, self._key, self._token, self._ttl_ms
                    )
            except (*_TROUBLE, TimeoutError) as error:
                if time.monotonic() >= self._trusted_until:
                    raise LeaseLostError(f"{self._key}: not renewed in time ({error})") from error
                continue
            if not renewed:
                raise LeaseLostError(f"{self._key}: it ran out")
            self._trust_from(asked)

    async def release(self) -> None:
        """Let somebody else have it at once. Without Redis it runs out by itself."""
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self._link.call("EVAL", _RELEASE, 1, self._key, self._token)
        except (*_TROUBLE, TimeoutError) as error:
            _log.info("lease_left_to_run_out", key=self._key, problem=str(error))

    @property
    def _ttl_ms(self) -> int:
        return int(self._ttl_s * 1000)

    def _trust_from(self, asked: float) -> None:
        # The server counts from when it set the key, which is later; clocks also drift.
        self._trusted_until = asked + self._ttl_s * 0.9
