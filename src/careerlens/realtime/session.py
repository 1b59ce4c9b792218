"""One client of the gateway, from introduction to farewell: the Socket.IO layer.

    waiting ──CONNECT──▶ introducing ──▶ serving ──▶ ended
       └──────10 s──────────┴──refused──────────────────▲

What a client may say is listed in `_EVENTS`; anything else reaches no handler. What it hears is
its own user's feed, and answers to what it asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from careerlens.auth.authenticator import Authenticator
from careerlens.auth.caller import Caller
from careerlens.foundation.errors import (
    AuthenticationError,
    JobNotFoundError,
    ServiceUnavailableError,
)
from careerlens.foundation.logging import get_logger
from careerlens.jobs.manager import JobManager
from careerlens.realtime import packets
from careerlens.realtime.connection import Connection
from careerlens.realtime.entries import Resync, is_position
from careerlens.realtime.expiry import ExpiryWatch
from careerlens.realtime.fanout import Delivery, Fanout, encode
from careerlens.realtime.feed import Feed
from careerlens.realtime.offences import OFFENCES, Offences
from careerlens.realtime.packets import MalformedPacketError, Packet, PacketType
from careerlens.wire.errors import CommandRejectedError

_MAX_TEXT = 16_384
_INBOX = 16
_REDIS_FAILURES = (ServiceUnavailableError, CommandRejectedError)
_log = get_logger("careerlens.realtime.session")

Answer = dict[str, Any]
Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What sessions are built on."""

    authenticator: Authenticator
    manager: JobManager
    feed: Feed
    fanout: Fanout
    offences: Offences


class Session:
    """Speaks with the client behind `connection`. Create one for each connection.

    `on_ended` is called with it once its connection is closed.
    """

    __slots__ = (
        "_caller",
        "_connection",
        "_delivery",
        "_expiry",
        "_inbox",
        "_on_ended",
        "_services",
        "_was_introduced",
        "_work",
    )

    def __init__(
        self,
        connection: Connection,
        services: Services,
        *,
        on_ended: Callable[[Session, Connection], None],
    ) -> None:
        self._connection = connection
        self._services = services
        self._on_ended = on_ended
        self._caller: Caller | None = None
        self._was_introduced = False
        self._expiry: ExpiryWatch | None = None
        self._delivery: Delivery | None = None
        self._work: asyncio.Task[None] | None = None
        self._inbox: deque[Packet] | None = None
        connection.listener = self

    @property
    def user_id(self) -> str | None:
        """Whose session it is, once that is proved."""
        return self._caller.user_id if self._caller else None

    def check_introduced(self) -> None:
        """Call when the client's time to say who it is has come."""
        if self._caller is None:
            self._connection.close("introduction_timeout", at_once=True)

    def check_revoked(self) -> None:
        """Call when tokens were taken back: the one that opened this session may be among them."""
        if self._caller is not None and self._services.authenticator.revoked.voids(self._caller):
            self.end("token_revoked", "You were signed out. Sign in again.")

    def announce(self, name: str, payload: Any) -> None:
        """Send an event that is no entry of the feed."""
        self._send(packets.event(name, payload))

    def end(self, code: str, message: str) -> None:
        """Tell the client why, and close. It may come back and resume."""
        self._connection.close(code, packets.event("error", {"code": code, "message": message}))

    async def ended(self) -> None:
        """Return when the connection is closed and nothing runs for it any more."""
        await self._connection.wait_closed()
        await self.caught_up()

    # What the fan-out needs

    @property
    def has_backlog(self) -> bool:
        """Whether the client should be given time to read what is queued."""
        return self._connection.has_backlog

    def send_entries(self, frames: Sequence[bytes], joined: bytes) -> None:
        """Queue entries of the feed; `joined` holds all of them."""
        if not self._connection.send_frames(frames, joined):
            self._too_slow()

    async def room(self) -> bool:
        """Wait until the client has read some of what is queued; send away one that does not."""
        if await self._connection.room():
            return True
        self._too_slow()
        return False

    def give_up(self) -> None:
        """Let the client come back and resume."""
        self._connection.close("internal_error")

    # From the client

    def on_message(self, text: str) -> None:
        """Take a packet. What has to wait is worked off one after the other."""
        try:
            packet = packets.decode(text)
        except MalformedPacketError as error:
            self._protocol_error(str(error))
            return
        if self._work is None:
            work = self._take(packet)
            if work is not None:
                self._work = asyncio.get_running_loop().create_task(self._work_off(work))
            return
        self._inbox = self._inbox or deque()
        self._inbox.append(packet)
        if len(self._inbox) >= _INBOX:
            self._connection.pause_reading()

    async def caught_up(self) -> None:
        """Return when all packets that came have been worked off."""
        if self._work is not None:
            await asyncio.wait((self._work,))

    async def _work_off(self, work: Work) -> None:
        try:
            await work()
            while self._inbox:
                more = self._take(self._inbox.popleft())
                if more is not None:
                    await more()
        except Exception:  # noqa: BLE001 (logged; it concerns this client alone)
            _log.exception("session_failed", sid=self._connection.sid)
            self._connection.close("internal_error", at_once=True)
        finally:
            self._work = self._inbox = None
            self._connection.resume_reading()

    def _take(self, packet: Packet) -> Work | None:
        """Take a packet; what remains to be done and has to wait, if anything."""
        if self._connection.closed_because is not None:
            return None
        if packet.type is PacketType.CONNECT:
            return self._connect(packet)
        if self._caller is None:
            self._protocol_error("spoke before introducing itself")
        elif packet.type is PacketType.EVENT:
            return self._event(packet)
        elif packet.type is PacketType.DISCONNECT:
            self._connection.close("client_left", at_once=True)
        return None

    def _protocol_error(self, problem: str) -> None:
        _log.info("protocol_error", problem=problem, user=self.user_id)
        self._connection.close("protocol_error", at_once=True)

    def _connect(self, packet: Packet) -> Work | None:
        if packet.namespace != "/":
            refusal = packets.refused(
                "unknown_namespace", "Invalid namespace", namespace=packet.namespace[:100]
            )
            self._send(refusal)
            return None
        if self._was_introduced:
            # A connection belongs to the first user who proved themselves on it.
            self._protocol_error("introduced itself twice")
            return None
        self._was_introduced = True
        return partial(self._introduce, packet.data if isinstance(packet.data, dict) else {})

    async def _introduce(self, auth: dict[str, Any]) -> None:
        try:
            caller = await self._authenticate(auth)
            if wait_s := self._services.offences.barred_for(caller.user_id):
                self._refuse("too_many_offences", _BARRED.format(wait_s))
                return
            end = await self._services.fanout.position(caller.user_id)
            self._services.authenticator.require_valid(caller)  # it may have been taken back since
        except AuthenticationError as error:
            self._refuse("unauthorized", str(error))
        except _REDIS_FAILURES as error:
            _log.warning("introduction_failed", reason=str(error))
            self._refuse("unavailable", "We cannot let you in right now. Try again shortly.")
        else:
            self._welcome(caller, auth.get("lastEventId"), end)

    async def _authenticate(self, auth: Mapping[str, Any]) -> Caller:
        peer = self._connection.peer
        return await self._services.authenticator.authenticate(
            _text(auth.get("token")), _text(auth.get("userId")), peer=peer.address, host=peer.host
        )

    def _refuse(self, code: str, message: str) -> None:
        self._connection.close(code, packets.refused(code, message))

    def _welcome(self, caller: Caller, last_event_id: object, end: str) -> None:
        if self._connection.closed_because is not None:
            return
        self._caller = caller
        self._send(packets.connected(self._connection.sid))
        resume_at = end
        if isinstance(last_event_id, str) and is_position(last_event_id):
            resume_at = last_event_id
        elif last_event_id is not None:
            missing = encode(Resync(id=end, reason="position_malformed"))
            self.send_entries((missing,), missing)
        self._delivery = self._services.fanout.deliver(
            caller.user_id, self, resume_at=resume_at, end=end
        )
        # Last: a token that is believed by leeway alone closes the connection, which must then
        # have everything that it lets go of.
        self._watch_expiry()

    def _event(self, packet: Packet) -> Work | None:
        said = packet.data
        if not isinstance(said, list) or not said or not isinstance(said[0], str):
            self._protocol_error("sent an event without a name")
            return None
        handler = _EVENTS.get(said[0]) if packet.namespace == "/" else None
        if handler is None:
            return None
        return partial(self._answer, handler, said[1] if len(said) > 1 else None, packet.ack)

    async def _answer(self, handler: Handler, argument: object, ack: int | None) -> None:
        answer = await handler(self, argument)
        if ack is not None:
            self._send(packets.acknowledgement(ack, answer))

    async def _subscribe(self, argument: object) -> Answer:
        job_id = _job_id_in(argument)
        assert self._caller is not None, "events are taken after the introduction"
        user_id = self._caller.user_id
        try:
            if job_id is None:
                return _NOT_FOUND
            # The place first: what happens after it is told by the feed, so nothing falls between.
            position = await self._services.feed.position(user_id)
            status = await self._services.manager.get_job_status(job_id, user_id)
        except JobNotFoundError:
            return _NOT_FOUND
        except _REDIS_FAILURES as error:
            _log.warning("subscription_failed", reason=str(error))
            return _error("unavailable", "The job cannot be read right now. Try again shortly.")
        snapshot = status.model_dump(mode="json", by_alias=True)
        self.announce("job:status", snapshot)
        return {"ok": True, "status": snapshot, "position": position}

    async def _unsubscribe(self, argument: object) -> Answer:
        return {"ok": True}

    async def _renew(self, argument: object) -> Answer:
        assert self._caller is not None, "events are taken after the introduction"
        token = _text(argument.get("token")) if isinstance(argument, dict) else None
        try:
            caller = await self._authenticate({"token": token})
        except AuthenticationError as error:
            return _error("unauthorized", str(error))
        except ServiceUnavailableError as error:
            _log.warning("renewal_failed", reason=str(error))
            return _error(
                "unavailable", "The token cannot be checked right now. Try again shortly."
            )
        if caller.user_id != self._caller.user_id:
            return _error("unauthorized", "The token belongs to another user.")
        self._caller = caller
        self._watch_expiry()
        return {"ok": True, "expiresAt": _milliseconds(caller.expires_at)}

    # Towards the client

    def _watch_expiry(self) -> None:
        assert self._caller is not None, "only a token that was proved expires"
        if self._expiry is None and self._caller.expires_at is not None:
            self._expiry = ExpiryWatch(self)
        if self._expiry is not None:
            self._expiry.watch(self._caller.expires_at)

    def warn(self, expires_at: float) -> None:
        """Tell the client to renew its token."""
        self.announce("token:expiring", {"expiresAt": _milliseconds(expires_at)})

    def expire(self) -> None:
        """Send the client away: its token proves nothing any more."""
        self.end("token_expired", "Your session has expired. Sign in again.")

    def _send(self, message: str) -> None:
        if not self._connection.send(message):
            self._too_slow()

    def _too_slow(self) -> None:
        # What is queued cannot be delivered in order any more; the feed keeps it.
        if self._connection.closed_because is not None:
            return
        farewell = {"code": "slow_consumer", "message": "You read too slowly; resume when ready."}
        self._connection.close("slow_consumer", packets.event("error", farewell), at_once=True)

    def on_heartbeat(self) -> None:
        """Look at the clock, too."""
        if self._expiry is not None:
            self._expiry.look()

    def on_closed(self, reason: str) -> None:
        """Let go of everything."""
        if self._expiry is not None:
            self._expiry.stop()
        if self._delivery is not None:
            self._delivery.leave()
        if self._work is not None and self._work is not asyncio.current_task():
            self._work.cancel()
        if reason in OFFENCES and self._caller is not None:
            self._services.offences.count(self._caller.user_id)
        self._on_ended(self, self._connection)
        if reason not in _ORDINARY_ENDS:
            _log.info("connection_closed", reason=reason, user=self.user_id)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= _MAX_TEXT else None


def _job_id_in(argument: object) -> str | None:
    """The id in `"id"` or `{"jobId": "id"}`."""
    return _text(argument.get("jobId")) if isinstance(argument, dict) else _text(argument)


def _error(code: str, message: str) -> Answer:
    return {"ok": False, "error": {"code": code, "message": message}}


def _milliseconds(seconds: float | None) -> int | None:
    return int(seconds * 1000) if seconds is not None else None


_NOT_FOUND = _error("not_found", "There is no such job.")
_BARRED = (
    "You were sent away too often for what you sent. Do not break the protocol or its limits,"
    " and try again in {} s."
)
_ORDINARY_ENDS = frozenset({"client_left", "client_closed", "transport_closed", "draining"})
Handler = Callable[[Session, object], Awaitable[Answer]]
_EVENTS: dict[str, Handler] = {
    "subscribe:job": Session._subscribe,
    "unsubscribe:job": Session._unsubscribe,
    "auth:renew": Session._renew,
}
