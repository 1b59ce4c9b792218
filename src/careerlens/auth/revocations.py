"""Tokens that were taken back before they expire.

    careerlens revoke ──▶ stream in Redis ──▶ table of each process ──▶ checked with every token
                                              (read every 2 s)     └──▶ open sockets and streams

What is kept is a moment for each user: what was issued to them before it counts for nothing. A
check looks into the process's own table, so that it costs no request a round trip.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

from careerlens.auth.caller import Caller
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link

REVOCATIONS_KEY = "careerlens:revoked"
REREAD_S = 2.0
REMEMBERED_S = 400 * 24 * 3600
"""Longer than the longest token that `careerlens token` makes."""
_OVERLAP_MS = 600_000
_PAGE = 1_000
_FIRST_READ_S = 1.0
_FAILURES = (ServiceUnavailableError, CommandRejectedError)

_log = get_logger("careerlens.auth")


class RevokedTokens:
    """Since when each user's tokens are void, as far as this process has heard."""

    def __init__(self) -> None:
        self._void_before: dict[str, float] = {}
        self._listeners: list[Callable[[], None]] = []

    def voids(self, caller: Caller) -> bool:
        """Whether the token that proved this caller was taken back.

        One that does not tell when it was issued counts as older than any revocation.
        """
        moment = self._void_before.get(caller.user_id)
        if moment is None or caller.method != "token":
            return False
        return caller.signed_in_at is None or caller.signed_in_at < moment

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever tokens were taken back."""
        self._listeners.append(listener)

    def learn(self, moments: dict[str, float]) -> None:
        """Take in since when (epoch seconds) tokens of users are void."""
        news = {
            user_id: moment
            for user_id, moment in moments.items()
            if moment > self._void_before.get(user_id, 0.0)
        }
        if not news:
            return
        self._void_before |= news
        for listener in self._listeners:
            listener()


class RevocationWatch:
    """Keeps a table up to date while it is open. `link` stays the caller's to close."""

    def __init__(self, link: Link, revoked: RevokedTokens) -> None:
        self._link = link
        self._revoked = revoked
        self._newest_ms = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # A server that is away is waited for by nobody: what needs it fails anyway.
        with contextlib.suppress(TimeoutError, *_FAILURES):
            async with asyncio.timeout(_FIRST_READ_S):
                await self.read()
        self._task = asyncio.create_task(self._watch(), name="revocations")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def read(self) -> None:
        """Read what is new. Raises as `Link.call`."""
        # A few minutes twice: a server that took over may have a clock that is behind.
        start = str(max(0, self._newest_ms - _OVERLAP_MS))
        while True:
            rows = await self._link.call("XRANGE", REVOCATIONS_KEY, start, "+", "COUNT", _PAGE)
            moments: dict[str, float] = {}
            for raw_id, fields in rows:
                start = f"({raw_id.decode()}"
                at_ms = int(raw_id.partition(b"-")[0])
                self._newest_ms = max(self._newest_ms, at_ms)
                user_id = fields[1].decode(errors="replace")
                moments[user_id] = max(moments.get(user_id, 0.0), at_ms / 1000)
            self._revoked.learn(moments)
            if len(rows) < _PAGE:
                return

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(REREAD_S)
            try:
                await self.read()
            except _FAILURES as failure:
                _log.warning("revocations_not_read", reason=str(failure))


async def revoke_tokens(link: Link, user_id: str) -> float:
    """Take back every token issued to this user so far; the moment, in epoch seconds.

    It is the server's clock that counts. Raises as `Link.call`.
    """
    entry = await link.call("XADD", REVOCATIONS_KEY, "*", "user", user_id)
    at_ms = int(entry.partition(b"-")[0])
    oldest = max(0, at_ms - REMEMBERED_S * 1000)
    await link.call("XTRIM", REVOCATIONS_KEY, "MINID", "~", oldest)
    return at_ms / 1000
