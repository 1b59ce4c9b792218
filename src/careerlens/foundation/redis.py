"""Connections by redis-py, for everything that is not the hot path of a queue.

One client per purpose: a blocking reader and a request handler never share one, because a
cancelled request would leave its reply to the next caller.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError as RedisAuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry as RetryInThread

from careerlens.foundation.errors import ServiceUnavailableError

CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 5.0
_SCHEME_ALIASES = {"valkey": "redis", "valkeys": "rediss"}


def connect(url: str, *, blocking: bool = False) -> Redis:
    """A client that answers with `str`. Nothing is sent before the first command.

    `blocking`: the client waits for as long as the server does (blocking reads, pub/sub);
    otherwise a reply that takes over 5 s is an error. Failed commands are never repeated: only
    the caller knows whether that is safe.
    """
    client: Redis = Redis.from_url(
        normalise_url(url),
        decode_responses=True,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        socket_timeout=None if blocking else COMMAND_TIMEOUT_S,
        **_transport_options(url, connect_timeout_s=CONNECT_TIMEOUT_S),
    )
    pool = client.connection_pool
    pool.connection_class = _heeding(pool.connection_class)
    return client


def connect_in_thread(url: str, *, timeout_s: float, name: str) -> redis.Redis:
    """A client for a thread without an event loop; answers with `bytes`, each in `timeout_s`.

    `name` is what CLIENT LIST shows.
    """
    client: redis.Redis = redis.Redis.from_url(
        normalise_url(url),
        **_transport_options(url, connect_timeout_s=timeout_s),
        protocol=2,
        retry=RetryInThread(NoBackoff(), 0),
        socket_timeout=timeout_s,
        client_name=name,
    )
    return client


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


def normalise_url(url: str) -> str:
    """`url` with a scheme that every client library knows (`valkey://` becomes `redis://`)."""
    scheme, separator, rest = url.partition("://")
    # Not by taking the URL apart: put together again, `unix:///path` would have lost its slashes.
    return f"{_SCHEME_ALIASES.get(scheme, scheme)}{separator}{rest}"


def display_url(url: str) -> str:
    """`url` without its login, fit for a screen or a log."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}"))


def _transport_options(url: str, *, connect_timeout_s: float) -> dict[str, Any]:
    """How to reach the server; a unix socket takes none of the options of a network."""
    if url.startswith("unix:"):
        return {}
    return {"socket_connect_timeout": connect_timeout_s, "socket_keepalive": True}


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
