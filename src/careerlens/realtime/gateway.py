"""The gateway process: live updates over Socket.IO, and a relay that feeds them.

What clients see (Socket.IO protocol 5; ours is the root namespace):

| to us | payload | answered by |
|---|---|---|
| handshake `auth` | `{token?, userId?, lastEventId?}` | `connect_error` `{message, code}` |
| `subscribe:job` | the id or `{jobId}` | `{ok, status, position}` or `{ok: false, error}` |
| `unsubscribe:job` | the same | `{ok}` |
| `auth:renew` | `{token}` | `{ok, expiresAt}` or `{ok: false, error}` |

| from us | payload | means |
|---|---|---|
| `job:update` | an entry of the user's feed | its `id` is what `lastEventId` resumes from |
| `job:status` | a job's whole status | follows `subscribe:job` |
| `resync` | `{id, reason}` | entries are missing before `id`; ask for the jobs again |
| `token:expiring` | `{expiresAt}` | the session ends in a minute |
| `server:draining` | `{withinMs}` | this server is about to stop |
| `error` | `{code, message}` | why the connection is being closed |
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from careerlens.auth.authenticator import Authenticator
from careerlens.auth.revocations import RevocationWatch
from careerlens.auth.scraping import ScrapingRule, Verdict
from careerlens.foundation.health import (
    LIVE,
    LIVE_PATH,
    READY_PATH,
    Condition,
    Health,
    word,
    works,
)
from careerlens.foundation.logging import get_logger
from careerlens.foundation.metrics import CONTENT_TYPE, METRICS_PATH, Metric
from careerlens.jobs.definitions import load_registry
from careerlens.jobs.manager import JobManager
from careerlens.realtime.connection import Connection, Limits
from careerlens.realtime.endpoint import Endpoint
from careerlens.realtime.fanout import Fanout
from careerlens.realtime.feed import Feed
from careerlens.realtime.measures import Measures, reader_metrics, socket_metrics
from careerlens.realtime.offences import Offences
from careerlens.realtime.relay import Relay
from careerlens.realtime.request import (
    FORBIDDEN,
    BadRequestError,
    Head,
    Receive,
    Scope,
    Send,
)
from careerlens.realtime.server import (
    allow_many_sockets,
    listen,
    make_server,
    serve_until_cancelled,
)
from careerlens.realtime.session import Services, Session
from careerlens.realtime.timing import Deadlines
from careerlens.realtime.websocket import Turns, Websocket
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link

if TYPE_CHECKING:
    from careerlens.foundation.embedded import RedisEndpoint
    from careerlens.foundation.settings import Settings

DRAIN_S = 1.0
"""How long clients are given to go elsewhere, at least."""
_LONGEST_DRAIN_S = 3.0
_MOVES_PER_S = 4_000
"""Clients that leave go to other processes, which should not be asked for more in a second."""
_NEW_OBJECTS_PER_COLLECTION = 20_000
_UNPROVEN = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "Send CAREERLENS_METRICS_TOKEN as `Authorization: Bearer <token>`.",
}
_log = get_logger("careerlens.realtime.gateway")


class Gateway:
    """The ASGI application: Socket.IO, and health for whoever watches the process."""

    def __init__(
        self,
        services: Services,
        *,
        origins: tuple[str, ...],
        link: Link,
        limits: Limits | None = None,
        max_per_address: int = 0,
        measures: Measures | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.turns = Turns()
        self._services = services
        self._link = link
        self._measures = measures
        self._opened = 0
        self._closed: Counter[str] = Counter()
        self._sessions: set[Session] = set()
        self._introductions = Deadlines[Session](
            self.limits.introduction_s, Session.check_introduced
        )
        self._endpoint = Endpoint(
            origins=origins,
            on_connection=self._start,
            limits=self.limits,
            max_per_address=max_per_address,
        )
        services.authenticator.revoked.listen(self._end_revoked)

    @property
    def sessions(self) -> frozenset[Session]:
        """The sessions that are open now."""
        return frozenset(self._sessions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if _is_ours(path):
            await self._endpoint(scope, receive, send)
            return
        if path == METRICS_PATH and scope["method"] == "GET" and self._measures is not None:
            verdict = _verdict(self._measures.rule, Head.of_scope(scope))
            if verdict is Verdict.WELCOME:
                text = await self._measures.text(self.metrics())
                await _send(send, 200, CONTENT_TYPE.encode(), text)
                return
            if verdict is Verdict.UNPROVEN:
                await _send_json(send, 401, _UNPROVEN)
                return
        status, answer = await self._health(path, str(scope["method"]))
        await _send_json(send, status, answer)

    def open_websocket(self, head: Head, socket: Websocket) -> None:
        """Open a socket. Raises `BadRequestError` to refuse it."""
        if not _is_ours(head.path):
            raise BadRequestError(*FORBIDDEN, status=403)
        self._endpoint.open_websocket(head, socket)

    async def drain(self) -> None:
        """Ask clients to go elsewhere, then close what is left. New ones are refused."""
        self._endpoint.is_draining = True
        sessions = [session for session in self._sessions if session.user_id is not None]
        drain_s = min(max(DRAIN_S, len(sessions) / _MOVES_PER_S), _LONGEST_DRAIN_S)
        for session in sessions:
            session.announce("server:draining", {"withinMs": int(drain_s * 1000)})
        ends = [asyncio.ensure_future(session.ended()) for session in sessions]
        if ends:
            await asyncio.wait(ends, timeout=drain_s)
        for connection in list(self._endpoint.connections):
            connection.close("draining")
        await asyncio.gather(*ends)

    def _start(self, connection: Connection) -> None:
        session = Session(connection, self._services, on_ended=self._end)
        self._sessions.add(session)
        self._opened += 1
        self._introductions.add(session)

    def _end(self, session: Session, connection: Connection) -> None:
        self._sessions.discard(session)
        self._closed[connection.closed_because or ""] += 1
        self._endpoint.closed(connection)

    def _end_revoked(self) -> None:
        for session in list(self._sessions):
            session.check_revoked()

    def metrics(self) -> list[Metric]:
        """What the sockets are, and have been."""
        sockets = socket_metrics(
            self._endpoint.connections,
            opened=self._opened,
            closed=self._closed,
        )
        return [*sockets, *reader_metrics(self._services.feed)]

    async def _health(self, path: str, method: str) -> tuple[int, dict[str, Any]]:
        if path in {LIVE_PATH, READY_PATH} and method in {"GET", "HEAD"}:
            health = LIVE if path == LIVE_PATH else await self._readiness()
            return health.http_status, health.as_wire()
        return 404, {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "This server speaks Socket.IO below /socket.io/.",
        }

    async def _readiness(self) -> Health:
        if self._endpoint.is_draining:
            return Health(condition=Condition.DRAINING)
        redis = await works(lambda: self._link.call("PING"))
        condition = Condition.READY if redis else Condition.NOT_READY
        return Health(condition=condition, checks={"redis": word(redis)})


async def serve(settings: Settings, endpoint: RedisEndpoint) -> None:
    """Serve Socket.IO on `SOCKET_PORT` and relay events, until cancelled; then drain.

    Raises `ConfigurationError` when the port cannot be had or no safe way to know callers is set.
    """
    authenticator = Authenticator.from_settings(settings)
    registry = load_registry(settings)
    host = settings.listen_host(settings.socket_host)
    listener = listen(host, settings.socket_port)
    link = open_link(endpoint.url, name="careerlens:gateway")
    allow_many_sockets()
    # What is loaded by now stays, and very many clients are very much that is no garbage.
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_PER_COLLECTION)
    try:
        async with RevocationWatch(link, authenticator.revoked), Feed(endpoint.url) as feed:
            services = Services(
                authenticator=authenticator,
                manager=JobManager(link, registry, prefix=settings.queue_prefix),
                feed=feed,
                fanout=Fanout(feed),
                offences=Offences(),
            )
            relay = Relay(endpoint.url, registry, prefix=settings.queue_prefix)
            gateway = Gateway(
                services,
                origins=settings.allowed_origins(),
                link=link,
                max_per_address=settings.socket_max_per_address,
                measures=Measures(settings, link, registry, relay=relay),
            )
            server = make_server(gateway)
            async with asyncio.TaskGroup() as tasks:
                relaying = tasks.create_task(relay.run(), name="relay")
                _log.info("listening", host=host, port=listener.getsockname()[1])
                try:
                    await serve_until_cancelled(server, listener, before_stop=gateway.drain)
                finally:
                    relaying.cancel()
    finally:
        listener.close()
        await link.close()


def _is_ours(path: str) -> bool:
    return path == "/socket.io" or path.startswith("/socket.io/")


def _verdict(rule: ScrapingRule, head: Head) -> Verdict:
    peer = head.peer
    return rule.judge(head.headers.get("authorization"), peer=peer.address, host=peer.host)


async def _send_json(send: Send, status: int, answer: dict[str, Any]) -> None:
    kind = b"application/problem+json" if status in {401, 404} else b"application/json"
    await _send(send, status, kind, orjson.dumps(answer))


async def _send(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
