"""The text that a job writes while it runs: `ctx.stream(text)`, on the job's own Redis stream.

Pieces written within 50 ms of each other become one entry. Each run of a job begins the text
afresh: what a run before it wrote goes when the new one writes, or begins if it is another
attempt. The text ends when the job ends, which the job's status says and nothing here repeats.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from careerlens.foundation.errors import CareerLensError, UnrecoverableError
from careerlens.foundation.logging import get_logger
from careerlens.jobs.keys import text_channel, text_key
from careerlens.wire.errors import WireError
from careerlens.wire.link import Call
from careerlens.wire.scripts import own_script

COALESCE_S = 0.05
MAX_TEXT_BYTES = 1024 * 1024
MAX_ENTRIES = 50_000
TEXT_SECONDS = 24 * 3600
_PIECE_CHARACTERS = 8 * 1024
_LAST_WORDS_S = 0.5
_LUA = Path(__file__).parent / "lua"
_SUPERSEDED = 0

_log = get_logger("careerlens.jobs.streams")

Send = Callable[[Call], Awaitable[Any]]
"""Sends a call until it is answered; the reply, or None when the job is not ours any more."""


class JobText:
    """What one run writes. `close` or `abandon` it at the run's end.

    What a job writes that belongs to nobody (`user_id` is empty) is dropped: nobody may read it.
    """

    def __init__(self, send: Send, user_id: str, job_id: str) -> None:
        self._send = send
        self._user_id = user_id
        self._job_id = job_id
        self._run = ""
        self._written = ""
        """What waits to be sent."""
        self._sending = ""
        """What was sent last, until it is answered: only the same again is harmless."""
        self._total = 0
        """Bytes that the handler has written."""
        self._position = 0
        """Bytes that the server has taken."""
        self._entries = 0
        self._after_cr = False
        self._is_superseded = False
        self._order = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def take_over(self) -> None:
        """Clear what an earlier run of the job has left. Waits while the server is away."""
        await self._append("")

    async def write(self, text: str) -> None:
        """Add `text`. Returns at once until so much waits that the server has to keep up first.

        Line ends become `\\n`. Raises `UnrecoverableError` (code `stream_too_long`) when it
        would be too much, `ValueError` for half a surrogate pair, and what sending raised.
        """
        text = self._with_plain_line_ends(text)
        size = len(text.encode())
        if self._failure is not None:
            raise self._failure
        if self._total + size > MAX_TEXT_BYTES or self._entries >= MAX_ENTRIES:
            raise UnrecoverableError(
                f"It wrote more text than a job may ({MAX_TEXT_BYTES:,} bytes of UTF-8 in "
                f"{MAX_ENTRIES:,} pieces).",
                code="stream_too_long",
            )
        self._total += size
        self._written += text
        if len(self._written) >= _PIECE_CHARACTERS:
            await self._flush()
        elif self._written and self._timer is None:
            self._timer = asyncio.create_task(self._flush_soon(), name=f"text {self._job_id}")

    async def close(self) -> None:
        """Send what still waits. Raises what sending raised."""
        await self._stop_timer()
        if self._failure is not None:
            raise self._failure
        await self._flush()

    async def abandon(self) -> None:
        """As `close`, for a run that has failed: gives up after half a second, and is silent."""
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self.close()
        except (TimeoutError, CareerLensError, WireError) as error:
            _log.warning("text_cut", job_id=self._job_id, reason=type(error).__name__)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(COALESCE_S)
        try:
            await self._flush()
        except Exception as error:  # noqa: BLE001 (the next write raises it)
            self._failure = error
        finally:
            self._timer = None

    async def _stop_timer(self) -> None:
        if self._timer is not None:
            timer = self._timer
            timer.cancel()
            await asyncio.wait({timer})
            self._timer = None  # one that was cancelled before its first step did not say so

    async def _flush(self) -> None:
        async with self._order:
            while self._sending or self._written:
                if not self._sending:
                    self._sending = self._written[:_PIECE_CHARACTERS]
                    self._written = self._written[_PIECE_CHARACTERS:]
                await self._append(self._sending)
                self._sending = ""

    async def _append(self, piece: str) -> None:
        if self._is_superseded or not self._user_id:
            return
        self._run = self._run or secrets.token_urlsafe(12)
        data = piece.encode()
        key = text_key(self._user_id, self._job_id)
        channel = text_channel(self._user_id, self._job_id)
        reply = await self._send(
            (
                own_script("text-append", _LUA),
                [key],
                [self._run, self._position, data, TEXT_SECONDS * 1000, channel],
            )
        )
        if reply is None or int(reply) == _SUPERSEDED:
            self._is_superseded = True  # the job is somebody else's, and so is its text
        self._position += len(data)
        self._entries += bool(data)

    def _with_plain_line_ends(self, text: str) -> str:
        """Server-sent events know one kind of line end; a pair may come in two pieces."""
        if not text:
            return text
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
            self._after_cr = False
            if not text:
                return text
        self._after_cr = text.endswith("\r")
        return text.replace("\r\n", "\n").replace("\r", "\n")
