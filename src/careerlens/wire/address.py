"""Where the server is and how to enter it, read from a URL.

`redis://user:password@host:6379/0`, `rediss://` for TLS (also `valkey://`, `valkeys://`), and
`unix:///path/to/socket?db=0`. TLS verifies the certificate; `?ssl_ca_certs=/path` names another
authority, `?ssl_cert_reqs=none` accepts any certificate.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)

_KEEPALIVE_IDLE_S = 15
_KEEPALIVE_INTERVAL_S = 5
_KEEPALIVE_PROBES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A parsed URL. `path` is set for a unix socket, `host` and `port` otherwise."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL. Raises `ValueError` for an unknown scheme or a malformed part."""
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if parts.scheme == "unix":
            return cls(
                path=unquote(parts.path),
                username=username,
                password=password,
                database=int(query.get("db", "0")),
            )
        if parts.scheme not in {"redis", "rediss", "valkey", "valkeys"}:
            raise ValueError(f"not the URL of a Redis or Valkey server: {parts.scheme}://…")
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or 6379,
            username=username,
            password=password,
            database=int(parts.path.strip("/") or query.get("db", "0")),
            tls=_tls(query) if parts.scheme in {"rediss", "valkeys"} else None,
        )

    @property
    def greeting(self) -> list[tuple[str, ...]]:
        """The commands that open a session: login and choice of database, where needed."""
        commands: list[tuple[str, ...]] = []
        if self.password is not None:
            login = (self.username, self.password) if self.username else (self.password,)
            commands.append(("AUTH", *login))
        if self.database:
            commands.append(("SELECT", str(self.database)))
        return commands

    async def open(self, protocol: Callable[[], ProtocolT]) -> ProtocolT:
        """Connect a fresh protocol. Raises `OSError` when the server cannot be reached."""
        loop = asyncio.get_running_loop()
        if self.path is not None:
            _, connection = await loop.create_unix_connection(protocol, self.path)
            return connection
        transport, connection = await loop.create_connection(
            protocol, self.host, self.port, ssl=self.tls
        )
        _keep_alive(transport.get_extra_info("socket"))
        return connection

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def _tls(query: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=query.get("ssl_ca_certs"))
    if query.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _keep_alive(connection: socket.socket | None) -> None:
    """Let the kernel notice a dead peer; the options differ between systems."""
    if connection is None:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", _KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", _KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
