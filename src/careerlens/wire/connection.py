"""One connection to the server: bytes out, replies matched first in, first out.

A reply resolves a future, or is handed to a function at once, which saves a busy worker a turn
of the event loop for each job. A future that is cancelled leaves its place in the line, so the
reply it no longer wants is thrown away and never reaches the next caller.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import hiredis

from careerlens.foundation.errors import OutcomeUnknownError

Arg: TypeAlias = bytes | str | int | float
OnReply: TypeAlias = Callable[[Any], None]
"""Is handed a reply: a value, a `hiredis.ReplyError`, or an `OutcomeUnknownError`."""

_MORE = object()
_SERVICE = "redis"
_GATHERED_BYTES = 32_768


class Connection(asyncio.Protocol):
    """Sends encoded commands and resolves one future per reply.

    `on_push` takes messages of subscribed channels, which answer no command. An error reply
    resolves its future with a `hiredis.ReplyError` as the value; losing the connection calls
    `on_lost` once, and raises `OutcomeUnknownError` from every future still open.

    What is sent while nothing else is under way leaves at once. Otherwise all that is sent in one
    turn of the event loop leaves in one write, and its replies come back in few: where many send a
    little each, that saves a quarter of their time and some of the server's.
    """

    def __init__(
        self,
        on_lost: Callable[[Connection], None] | None = None,
        on_push: Callable[[list[Any]], None] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._on_push = on_push
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._waiting: deque[asyncio.Future[Any] | OnReply] = deque()
        self._transport: asyncio.Transport | None = None
        self._drained = asyncio.Event()
        self._drained.set()
        self.has_room = True
        self.lost = asyncio.Event()
        """Set when the connection, once made, has ended."""
        self._heard_at = self._loop.time()
        self._why_lost = "the connection was closed"

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent now."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def silent_for(self) -> float:
        """Seconds since the server last answered while a reply is due; 0.0 when none is."""
        return self._loop.time() - self._heard_at if self._waiting else 0.0

    def send(self, payload: bytes) -> asyncio.Future[Any]:
        """Write one encoded command; the future is its reply. The connection must be open."""
        reply = self._loop.create_future()
        self._write(payload, reply)
        return reply

    def post(self, payload: bytes, on_reply: OnReply) -> None:
        """Write one encoded command; `on_reply` is called with its reply, and must not raise."""
        self._write(payload, on_reply)

    def _write(self, payload: bytes, waiter: asyncio.Future[Any] | OnReply) -> None:
        assert self._transport is not None, "only an open connection can send"
        if not self._waiting:
            self._heard_at = self._loop.time()
        self._waiting.append(waiter)
        self._transmit(payload)

    def send_all(self, payloads: list[bytes]) -> list[asyncio.Future[Any]]:
        """Write several commands back to back, so that no other caller's come between."""
        assert self._transport is not None, "send_all() needs an open connection"
        if not self._waiting:
            self._heard_at = self._loop.time()
        replies = [self._loop.create_future() for _ in payloads]
        self._waiting.extend(replies)
        self._transmit(b"".join(payloads))
        return replies

    def _transmit(self, payload: bytes) -> None:
        assert self._transport is not None, "only an open connection can send"
        if len(self._waiting) == 1:
            self._transport.write(payload)
            return
        if not self._unsent:
            self._loop.call_soon(self._transmit_gathered)
        self._unsent.append(payload)
        self._unsent_bytes += len(payload)
        if self._unsent_bytes > _GATHERED_BYTES:
            self._transmit_gathered()  # the server begins, and tells when it has enough

    def _transmit_gathered(self) -> None:
        unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
        if self._transport is not None and unsent:
            self._transport.write(b"".join(unsent))

    async def drained(self) -> None:
        """Wait while the server reads more slowly than we write."""
        await self._drained.wait()

    def abort(self, why: str) -> None:
        """Cut the connection now. `why` is told to whoever waits for a reply."""
        self._why_lost = why
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop once connected."""
        # A cast, not a check: uvloop's transports do not derive from asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop with bytes from the server."""
        self._heard_at = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _MORE:
                self._deliver(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self.abort(f"the server sent something that is not a reply: {error}")

    def _deliver(self, reply: Any) -> None:
        if self._on_push is not None and isinstance(reply, list) and reply[0] == b"message":
            self._on_push(reply)
            return
        waiter = self._waiting.popleft()
        if not isinstance(waiter, asyncio.Future):
            waiter(reply)
        elif not waiter.done():
            waiter.set_result(reply)

    def pause_writing(self) -> None:
        """Called by the loop when its write buffer is full."""
        self.has_room = False
        self._drained.clear()

    def resume_writing(self) -> None:
        """Called by the loop when its write buffer has room again."""
        self.has_room = True
        self._drained.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop when the connection ended, for whatever reason."""
        self._transport = None
        self.lost.set()
        self._drained.set()
        waiting, self._waiting = self._waiting, deque()
        why = f"{self._why_lost} ({error})" if error else self._why_lost
        if self._on_lost is not None:
            self._on_lost(self)  # first, so that nobody who is woken sends here again
        for waiter in waiting:
            if not isinstance(waiter, asyncio.Future):
                waiter(OutcomeUnknownError(_SERVICE, why))
            elif not waiter.done():
                waiter.set_exception(OutcomeUnknownError(_SERVICE, why))
                waiter.exception()  # whoever stopped waiting must not cause a warning


def encode(args: Sequence[Arg]) -> bytes:
    """One command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(tuple(args))  # type: ignore[arg-type]
    return packed


def template(words: Sequence[Arg], holes: Sequence[Arg]) -> bytes:
    """One command, encoded but for some words: a format that takes a length and bytes for each.

    A word that equals one of `holes` is left open.
    """
    open_words = {encode_word(hole) for hole in holes}
    parts = [
        b"$%d\r\n%b\r\n" if encoded in open_words else encoded.replace(b"%", b"%%")
        for encoded in map(encode_word, words)
    ]
    return b"*%d\r\n" % len(parts) + b"".join(parts)


def encode_word(word: Arg) -> bytes:
    """One word of a command as it goes over the wire."""
    return encode((word,)).removeprefix(b"*1\r\n")
