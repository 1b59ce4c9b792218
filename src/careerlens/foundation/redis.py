"""Connections by redis-py, for everything that is not the hot path of a queue.

One client per purpose: a blocking reader and a request handler never share one, because a
cancelled request would leave its reply to the next caller.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError as RedisAuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.redisurl import Place, RedisUrl, Tls, Topology, place_text

CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 5.0
_SENTINEL_TIMEOUT_S = 1.0


def connect(url: str | RedisUrl, *, blocking: bool = False) -> Redis:
    """A client that answers with `str`. Nothing is sent before the first command.

    `blocking`: the client waits for as long as the server does (blocking reads, pub/sub);
    otherwise a reply that takes over 5 s is an error. Failed commands are never repeated: only
    the caller knows whether that is safe. Raises `ConfigurationError` for a URL that cannot be
    used, and for that of a cluster.
    """
    parsed = RedisUrl.parse(url) if isinstance(url, str) else url
    parsed.refuse_cluster()
    options: dict[str, Any] = {
        "db": parsed.database,
        "username": parsed.username,
        "password": parsed.password,
        "decode_responses": True,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "socket_timeout": None if blocking else COMMAND_TIMEOUT_S,
    }
    client: Redis = Redis.from_pool(_pool(parsed, options))
    return client


def _pool(url: RedisUrl, options: dict[str, Any]) -> ConnectionPool:
    if url.path is not None:
        kind = _heeding(UnixDomainSocketConnection)
        return ConnectionPool(connection_class=kind, path=url.path, **options)
    options |= {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_keepalive": True}
    tls = _tls_options(url.tls) if url.tls is not None else {}
    if url.topology is Topology.SENTINEL:
        kind = _heeding(SentinelManagedSSLConnection if tls else SentinelManagedConnection)
        pool: ConnectionPool = _PoolOfPrimary(  # type: ignore[no-untyped-call]
            url.primary, _sentinels(url, tls), connection_class=kind, **options, **tls
        )
        return pool
    kind = _heeding(SSLConnection if tls else Connection)
    host, port = url.places[0]
    return ConnectionPool(connection_class=kind, host=host, port=port, **options, **tls)


def _sentinels(url: RedisUrl, tls: dict[str, Any]) -> _Sentinels:
    manager = _Sentinels(  # type: ignore[no-untyped-call]
        url.places,
        sentinel_kwargs={
            "username": url.sentinel_username,
            "password": url.sentinel_password,
            "decode_responses": True,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": _SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": _SENTINEL_TIMEOUT_S,
            "ssl": bool(tls),
            **tls,
        },
    )
    for client in manager.sentinels:
        pool = client.connection_pool
        pool.connection_class = _heeding(pool.connection_class)
    return manager


def _tls_options(tls: Tls) -> dict[str, Any]:
    return {
        "ssl_ca_certs": tls.ca_file,
        "ssl_certfile": tls.cert_file,
        "ssl_keyfile": tls.key_file,
        "ssl_password": tls.key_password,
        "ssl_cert_reqs": "required" if tls.verifies else "none",
        "ssl_check_hostname": tls.verifies and tls.checks_host,
    }


class _Sentinels(Sentinel):
    """Says why no primary was found in words, where the library shows its connections."""

    async def discover_master(self, service_name: str) -> Place:
        problems = []
        for client in list(self.sentinels):
            place = client.connection_pool.connection_kwargs
            found: Any = None
            problem = f"knows no primary called {service_name!r}"
            try:
                found = await client.sentinel_get_master_addr_by_name(service_name)
            except (RedisError, OSError) as error:
                problem = str(error)
            if found is not None:
                # Whoever answers is asked first the next time.
                self.sentinels.remove(client)
                self.sentinels.insert(0, client)
                return found[0], int(found[1])
            problems.append(f"sentinel {place_text((place['host'], place['port']))}: {problem}")
        raise MasterNotFoundError("; ".join(problems))


class _PoolOfPrimary(SentinelConnectionPool):
    """Closes the connections to the sentinels with its own, which the library leaves open."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


async def ping(client: Redis, *, timeout: float = CONNECT_TIMEOUT_S) -> None:
    """Return when the server answers.

    Raises `ServiceUnavailableError`, whose problem says what to do, when it does not answer
    within `timeout` seconds, refuses us, or is still loading its data.
    """
    try:
        async with asyncio.timeout(timeout):
            await client.ping()
    except (OSError, TimeoutError, RedisError) as error:
        raise ServiceUnavailableError("redis", describe_failure(error)) from error


def describe_failure(error: BaseException) -> str:
    """One sentence on why Redis could not be used, with what to do about it."""
    if isinstance(error, RedisAuthenticationError):
        return "it refused our login; check REDIS_USERNAME and REDIS_PASSWORD (or REDIS_URL)."
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return "it did not answer in time; check that the address is right and not blocked."
    if isinstance(error, OSError | RedisConnectionError):
        return f"the connection failed ({error}); start it, or correct REDIS_HOST or REDIS_URL."
    return f"it answered with an error ({error})."


def display_url(url: str) -> str:
    """`url` without its login, fit for a screen or a log."""
    return str(RedisUrl.parse(url))


def _heeding(kind: type[Any]) -> type[Any]:
    """`kind` of connection, made to heed a cancellation that comes while a command is sent.

    It sends under `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes
    in the moment of success: every fourth one that met a busy loop of commands went unheard.
    """

    class Heeding(kind):  # type: ignore[misc]
        async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
            task = asyncio.current_task()
            before = task.cancelling() if task is not None else 0
            await super().send_packed_command(*args, **kwargs)
            if task is not None and task.cancelling() > before:
                # Nobody will read the reply: the connection must not be used again.
                await self.disconnect(nowait=True)
                raise asyncio.CancelledError

    return Heeding
