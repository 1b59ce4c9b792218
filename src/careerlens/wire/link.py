"""A link to the server that keeps itself alive and carries many calls at once.

      call ──▶ encode ──▶ connection ──▶ server
                │ none now                  │
                ▼                           ▼
        wait for reconnection        reply, or the connection is cut:
        (nothing was sent)           OutcomeUnknownError, never repeated here

Only the caller knows whether a call may be repeated, so a link never repeats one that was sent.
A call that blocks on the server (BZPOPMIN, XREAD) holds up everything behind it: give it a link
of its own, with a `timeout_s` above its block time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, TypeAlias

import hiredis

from careerlens.foundation.errors import OutcomeUnknownError, ServiceUnavailableError
from careerlens.foundation.redisurl import RedisUrl
from careerlens.wire.address import CANNOT_CONNECT, Address, problem_of, replies_to
from careerlens.wire.connection import Arg, Connection, OnReply, encode
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.keys import QueueKeys
from careerlens.wire.locating import address_of
from careerlens.wire.scripts import Script

Call: TypeAlias = tuple[Script, Sequence[Arg], Sequence[Arg]]

_SERVICE = "redis"
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_WATCHES_PER_TIMEOUT = 4
_CALLS_PER_TURN = 64
# The first words of an encoded command are their number: "*9\r\n".
_TWO_DIGITS, _HEADER = 10, 4
# Answers that mean "not now": the server did not run the command, and may later.
_NOT_NOW = (
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "BUSY",
    "OOM",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MISCONF",
)


class SharedKeys(tuple[bytes, ...]):
    """The keys of many calls, encoded once for each script."""

    def __init__(self, _keys: Iterable[bytes]) -> None:
        self._leads: dict[bytes, bytes] = {}

    def lead(self, script: Script) -> bytes:
        """The encoded words of a call before its arguments."""
        if script.sha not in self._leads:
            words = encode((b"EVALSHA", script.sha, len(self), *self))
            self._leads[script.sha] = words.partition(b"\r\n")[2]
        return self._leads[script.sha]


class Link:
    """A pipelined connection that reconnects by itself. Replies come as bytes.

    `timeout_s` bounds two things: how long a call waits for a connection before
    `ServiceUnavailableError`, and how long the server may stay silent while replies are due
    before the connection is given up, which raises `OutcomeUnknownError` from those calls.
    `name` is what CLIENT LIST shows.
    """

    def __init__(
        self,
        url: str | Address,
        *,
        name: str = "careerlens",
        timeout_s: float = 5.0,
    ) -> None:
        self._address = _single(url) if isinstance(url, str) else url
        self._name = name.replace(" ", "-")
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False
        self._last_problem = "not connected yet"
        self.client_id: int | None = None
        """The server's number for this connection, for CLIENT UNBLOCK; None where it tells none."""
        self.times_connected = 0
        """How many connections there have been, each perhaps to a server that had lost data."""

    @property
    def is_connected(self) -> bool:
        """Whether a call made now would be sent at once."""
        return self._connection is not None

    async def connect(self) -> None:
        """Connect, waiting at most the link's timeout. Connecting again is harmless.

        Raises `ServiceUnavailableError` when the server cannot be reached in time; the link
        goes on trying.
        """
        self._keep_connected()
        await self._wait_for_connection()

    async def call(self, *args: Arg) -> Any:
        """Run one command and return its reply.

        Raises `ServiceUnavailableError` when nothing was done, `OutcomeUnknownError` when the
        command was sent and its reply lost, `CommandRejectedError` when the server refused it.
        """
        reply = await self._send(encode(args))
        return self._checked(reply) if isinstance(reply, hiredis.ReplyError) else reply

    async def run(self, script: Script, keys: Sequence[Arg], args: Sequence[Arg]) -> Any:
        """Run a script by its digest, handing its text over where the server has lost it.

        Raises as `call` does.
        """
        reply = await self._send(evaluation((script, keys, args)))
        if not isinstance(reply, hiredis.ReplyError):
            return reply
        if _is_unknown(reply):
            reply = await self._send(_evaluate(b"EVAL", script.source, keys, args))
        return self._checked(reply)

    def post(self, payload: bytes, on_reply: OnReply, *, key: Arg) -> bool:
        """Send an encoded command now, and hand its reply to `on_reply`, which must not raise.

        `key` is one that the command touches. False, and nothing is sent, when there is no
        connection just now or it has no room.
        """
        connection = self._connection
        if connection is None or not connection.has_room:
            return False
        connection.post(payload, on_reply)
        return True

    async def call_many(self, commands: Sequence[Sequence[Arg]]) -> list[Any]:
        """Run commands in one write, in order, with nobody else's between them.

        Raises as `call` does for the first that failed, once all have been answered.
        """
        return [self._checked(reply) for reply in await self.exchange(commands)]

    async def exchange(self, commands: Sequence[Sequence[Arg]]) -> list[Any]:
        """As `call_many`, but what the server refused stands among the replies, as errors."""
        return await self._send_all([encode(args) for args in commands])

    async def run_many(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts in one round trip, in order; the replies are in the order of the calls.

        Raises as `call` does for the first that failed, once all have been answered.
        """
        replies = await self._evaluate_all(calls)
        while unknown := [n for n, reply in enumerate(replies) if _is_unknown(reply)]:
            # Nothing of these was done. The first of each script brings its text along.
            brought: set[bytes] = set()
            payloads = []
            for n in unknown:
                script, keys, args = calls[n]
                if script.sha in brought:
                    payloads.append(evaluation(calls[n]))
                else:
                    payloads.append(_evaluate(b"EVAL", script.source, keys, args))
                    brought.add(script.sha)
            for n, reply in zip(unknown, await self._send_all(payloads), strict=True):
                replies[n] = reply
        return [self._checked(reply) for reply in replies]

    async def call_each(self, commands: Sequence[Sequence[Arg]]) -> list[Any]:
        """As `call_many`, for keys that need not lie together; in order only for the same key."""
        return await self.call_many(commands)

    async def run_each(self, calls: Sequence[Call]) -> list[Any]:
        """As `run_many`, where each call has keys of its own that need not lie with the others'."""
        return await self.run_many(calls)

    async def parts(self) -> Sequence[Link]:
        """Links to the servers that have the keys, each of which has only its own.

        For commands that look at all keys. They belong to this link, and are not to be closed.
        """
        return [self]

    async def run_behind(self, commands: Sequence[Sequence[Arg]], call: Call) -> Any:
        """Run commands and then a script, in one write where that can be; return its reply.

        Raises as `run` does. What the server refuses of the commands alone raises
        `OutcomeUnknownError`: the script may have run, and all of it is to be done again.
        """
        payloads = [encode(command) for command in commands]
        payloads.append(evaluation(call))
        *replies, reply = await self._send_all(payloads)
        if isinstance(reply, hiredis.ReplyError):
            reply = await self.run(*call) if _is_unknown(reply) else self._checked(reply)
        for refused in replies:
            if isinstance(refused, hiredis.ReplyError):
                raise OutcomeUnknownError(_SERVICE, str(refused))
        return reply

    async def unblock(self, other: Link) -> bool:
        """Let a call of another link to the same server return that blocks there, if one does.

        False where the server has told no number to name that link by. Raises as `call` does.
        """
        if other.client_id is None:
            return False
        await self.call("CLIENT", "UNBLOCK", other.client_id)
        return True

    def check_queue(self, keys: QueueKeys) -> None:
        """Raise `ConfigurationError` when a queue with these keys cannot be used over this link."""

    async def close(self) -> None:
        """Close for good; calls still under way end with `OutcomeUnknownError`."""
        self._closed = True
        if self._connection is not None:
            self._connection.abort("the link was closed")
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def __aenter__(self) -> Link:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _send(self, payload: bytes) -> Awaitable[Any]:
        connection = self._connection
        if connection is None or not connection.has_room:
            return self._send_later(payload)
        return connection.send(payload)

    async def _send_later(self, payload: bytes) -> Any:
        connection = self._connection or await self._wait_for_connection()
        await connection.drained()
        return await self._send(payload)

    async def _send_all(self, payloads: list[bytes]) -> list[Any]:
        if not payloads:
            return []
        connection = self._connection or await self._wait_for_connection()
        return await _all_of(connection.send_all(payloads))

    async def _evaluate_all(self, calls: Sequence[Call]) -> list[Any]:
        """Send some at a time, so that the server works on them while we encode the next."""
        connection = self._connection or await self._wait_for_connection()
        replies: list[asyncio.Future[Any]] = []
        for start in range(0, len(calls), _CALLS_PER_TURN):
            turn = calls[start : start + _CALLS_PER_TURN]
            replies += connection.send_all([evaluation(call) for call in turn])
            await asyncio.sleep(0)
            if not connection.is_open:
                break
        outcomes = await _all_of(replies)
        if len(outcomes) < len(calls):
            raise OutcomeUnknownError(_SERVICE, "the connection was lost half-way through")
        return outcomes

    def _checked(self, reply: Any) -> Any:
        if not isinstance(reply, hiredis.ReplyError):
            return reply
        text = str(reply)
        if text.partition(" ")[0] in _NOT_NOW:
            if text.startswith("READONLY") and self._connection is not None:
                # The primary moved: a new connection finds the new one.
                self._connection.abort("the server became a replica")
            raise ServiceUnavailableError(_SERVICE, text)
        raise CommandRejectedError(text)

    async def _wait_for_connection(self) -> Connection:
        if self._closed:
            raise ServiceUnavailableError(_SERVICE, "the link was closed")
        self._keep_connected()
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._connection is None:
                    await self._connected.wait()
        except TimeoutError:
            problem = f"no connection within {self._timeout_s:g} s: {self._last_problem}"
            raise ServiceUnavailableError(_SERVICE, problem) from None
        return self._connection

    def _keep_connected(self) -> None:
        if self._keeper is None and not self._closed:
            self._keeper = asyncio.create_task(self._keep(), name=f"link {self._name}")

    async def _keep(self) -> None:
        pause = 0.0
        while not self._closed:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter only)
            connection = await self._try_to_connect()
            if connection is None:
                pause = min(max(pause * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
                continue
            pause = 0.0
            if connection.is_open:
                self._connection = connection
                self.times_connected += 1
                self._connected.set()
            following = asyncio.create_task(self._address.follow(connection))
            try:
                await self._watch(connection)
            finally:
                following.cancel()
            pause = _FIRST_PAUSE_S

    def _forget(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            self._connected.clear()

    async def _try_to_connect(self) -> Connection | None:
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._address.open(self._new_connection)
                await self._greet(connection)
            ready, connection = connection, None
            return ready
        except CANNOT_CONNECT as error:
            self._last_problem = f"{self._address}: {problem_of(error)}"
            return None
        finally:
            if connection is not None:
                connection.abort(self._last_problem)

    def _new_connection(self) -> Connection:
        return Connection(self._forget)

    async def _greet(self, connection: Connection) -> None:
        commands = [("CLIENT", "SETNAME", self._name), ("CLIENT", "ID")]
        # Some hosted servers, and users of few rights, are refused both: we do without.
        _, client_id = await replies_to(connection, *commands)
        self.client_id = client_id if isinstance(client_id, int) else None

    async def _watch(self, connection: Connection) -> None:
        """Return when the connection is lost; cut it when the server is silent for too long."""
        while not connection.lost.is_set():
            try:
                async with asyncio.timeout(self._timeout_s / _WATCHES_PER_TIMEOUT):
                    await connection.lost.wait()
            except TimeoutError:
                if connection.silent_for > self._timeout_s:
                    connection.abort(f"no reply within {self._timeout_s:g} s")


async def _all_of(replies: Sequence[asyncio.Future[Any]]) -> list[Any]:
    # They come in order: with the last one all are there, or have failed.
    if replies:
        await replies[-1]
    return [reply.result() for reply in replies]


def _single(url: str) -> Address:
    RedisUrl.parse(url).refuse_cluster()
    return address_of(url)


def _is_unknown(reply: Any) -> bool:
    """Whether the server does not know the script."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")


def evaluation(call: Call) -> bytes:
    """A call as an encoded command that names its script by digest, for `Link.post`."""
    script, keys, args = call
    if isinstance(keys, SharedKeys) and len(args) < _TWO_DIGITS:
        count = 3 + len(keys) + len(args)
        return b"*%d\r\n%b%b" % (count, keys.lead(script), encode(args)[_HEADER:])
    return _evaluate(b"EVALSHA", script.sha, keys, args)


def _evaluate(how: bytes, what: bytes, keys: Sequence[Arg], args: Sequence[Arg]) -> bytes:
    return encode((how, what, len(keys), *keys, *args))
