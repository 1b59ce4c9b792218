"""What a REDIS_URL says: one server, a primary that sentinels know, or a cluster.

    redis://[user:password@]host:6379/0                    one server (rediss:// for TLS)
    unix://[user:password@]/path/to/socket?db=0            the same, by its socket
    redis+sentinel://[…@]host:26379,host:26379/name/0      the primary called `name`
    redis+cluster://[…@]host:6379,host:6379                a cluster, found by any of its nodes

Each `redis` may be `rediss`, `valkey` or `valkeys`. The login is that of the data's servers;
sentinels have `?sentinel_username=` and `?sentinel_password=`. TLS is told what it needs by the
names redis-py has for it: `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_password`,
`ssl_cert_reqs` (`required`, or `none` for any certificate) and `ssl_check_hostname`.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeAlias
from urllib.parse import parse_qs, unquote

from careerlens.foundation.errors import ConfigurationError

Place: TypeAlias = tuple[str, int]
"""A host (name or address, an IPv6 one without brackets) and a port."""

_PLAIN = {"redis", "valkey"}
_WITH_TLS = {"rediss", "valkeys"}
_PORT, _SENTINEL_PORT = 6379, 26379
_TLS_OPTIONS = {
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_cert_reqs",
    "ssl_check_hostname",
}
_SENTINEL_OPTIONS = {"sentinel_username", "sentinel_password"}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Topology(StrEnum):
    """What stands behind a URL."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """How to trust a server, and how to be trusted by it."""

    ca_file: str | None = None
    """Whose certificates to trust; None: those that the system trusts."""
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    verifies: bool = True
    checks_host: bool = True

    def context(self) -> ssl.SSLContext:
        """What asyncio takes. Raises `ConfigurationError` for files that are no certificates."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file, self.key_password or "")
        except (OSError, ValueError) as error:
            _refuse(f"its certificate files cannot be used ({error}).", "Name PEM files.")
        context.check_hostname = self.verifies and self.checks_host
        if not self.verifies:
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisUrl:
    """A URL, taken apart. `path` is set for a unix socket, where `places` is empty."""

    topology: Topology = Topology.SERVER
    places: tuple[Place, ...] = ()
    """The server; or the sentinels; or nodes of the cluster, any of which may be away."""
    path: str | None = None
    primary: str = ""
    """What the sentinels call the primary."""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    @classmethod
    def parse(cls, url: str) -> RedisUrl:
        """Read a URL. Raises `ConfigurationError` that names REDIS_URL and what is wrong in it."""
        scheme, found, rest = url.partition("://")
        base, _, kind = scheme.partition("+")
        rest, _, query = rest.partition("?")
        netloc, _, path = rest.partition("/")
        login, _, hosts = netloc.rpartition("@")
        user, _, password = login.partition(":")
        username, secret = unquote(user) or None, unquote(password) or None
        if scheme == "unix":
            options = _options(query, {"db"})
            return cls(
                path=unquote(f"/{path}"),
                database=_database(options.get("db")),
                username=username,
                password=secret,
            )
        if not found or base not in _PLAIN | _WITH_TLS or kind not in {"", "sentinel", "cluster"}:
            _refuse(
                f"the scheme {scheme!r} is not known.",
                "Use redis://, rediss:// (TLS), unix://, redis+sentinel:// or redis+cluster://.",
            )
        topology = Topology(kind) if kind else Topology.SERVER
        allowed = _SENTINEL_OPTIONS if topology is Topology.SENTINEL else {"db"}
        options = _options(query, allowed | (_TLS_OPTIONS if base in _WITH_TLS else set()))
        primary, database = _target(topology, unquote(path).rstrip("/"), options.get("db"))
        return cls(
            topology=topology,
            places=_places(topology, hosts),
            primary=primary,
            database=database,
            username=username,
            password=secret,
            sentinel_username=options.get("sentinel_username"),
            sentinel_password=options.get("sentinel_password"),
            tls=_tls(options) if base in _WITH_TLS else None,
        )

    def refuse_cluster(self) -> None:
        """Raise `ConfigurationError` when this is a cluster, for what talks to one server."""
        if self.topology is Topology.CLUSTER:
            _refuse(
                "it names a cluster, and this talks to one server.",
                "Open the link by careerlens.wire.open_link, which finds every node.",
            )

    def at(self, place: Place) -> RedisUrl:
        """The same for one server alone, such as a node of this cluster."""
        return replace(self, topology=Topology.SERVER, places=(place,))

    def __str__(self) -> str:
        """The URL without its logins and files, fit for a screen or a log."""
        if self.path is not None:
            return f"unix://{self.path}" + (f"?db={self.database}" if self.database else "")
        scheme = "rediss" if self.tls is not None else "redis"
        hosts = ",".join(map(place_text, self.places))
        login = "***@" if self.username or self.password else ""
        if self.topology is Topology.SERVER:
            return f"{scheme}://{login}{hosts}/{self.database}"
        if self.topology is Topology.SENTINEL:
            return f"{scheme}+sentinel://{login}{hosts}/{self.primary}/{self.database}"
        return f"{scheme}+cluster://{login}{hosts}"


def place_text(place: Place) -> str:
    """`host:port` as people write it."""
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _options(query: str, allowed: set[str]) -> dict[str, str]:
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    for name in options.keys() - allowed:
        known = ", ".join(sorted(allowed))
        _refuse(f"it has an option {name!r} that means nothing here.", f"Known here: {known}.")
    return options


def _target(topology: Topology, path: str, db: str | None) -> tuple[str, int]:
    """The primary's name and the database."""
    if topology is Topology.SENTINEL:
        primary, _, number = path.partition("/")
        if not primary:
            _refuse(
                "it does not say what the sentinels call the primary.",
                "Write redis+sentinel://host:26379,host:26379/mymaster/0.",
            )
        return primary, _database(number)
    database = _database(path or db)
    if topology is Topology.CLUSTER and database:
        _refuse(f"a cluster has no database {database}.", "Leave it out.")
    return "", database


def _database(text: str | None) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        _refuse(f"{text!r} is no number of a database.", "Write a number, such as /0.")
    return int(text)


def _places(topology: Topology, hosts: str) -> tuple[Place, ...]:
    default = _SENTINEL_PORT if topology is Topology.SENTINEL else _PORT
    texts = [text for text in hosts.split(",") if text]
    if topology is Topology.SERVER:
        if len(texts) > 1:
            _refuse(
                "it names several servers.",
                "Say what they are: redis+sentinel:// or redis+cluster://.",
            )
        texts = texts or ["localhost"]
    if not texts:
        _refuse("it names no host.", "Name some, with commas between them.")
    return tuple(_place(text, default) for text in texts)


def _place(text: str, default_port: int) -> Place:
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        _refuse(f"{port!r} is no port.", "Write host:port, and an IPv6 address in brackets.")
    return unquote(host) or "localhost", int(port or default_port)


def _tls(options: dict[str, str]) -> Tls:
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in options and not Path(options[name]).is_file():
            _refuse(f"there is no file {options[name]} ({name}).", "Correct its path.")
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        _refuse("ssl_keyfile needs a certificate.", "Name it by ssl_certfile.")
    reqs = options.get("ssl_cert_reqs", "required")
    if reqs not in {"required", "none"}:
        _refuse(f"ssl_cert_reqs cannot be {reqs!r}.", "Use required or none.")
    checks_host = _TRUTH.get(options.get("ssl_check_hostname", "true").lower())
    if checks_host is None:
        _refuse("ssl_check_hostname is not clear.", "Use true or false.")
    return Tls(
        ca_file=options.get("ssl_ca_certs"),
        cert_file=options.get("ssl_certfile"),
        key_file=options.get("ssl_keyfile"),
        key_password=options.get("ssl_password"),
        verifies=reqs == "required",
        checks_host=checks_host,
    )


def _refuse(problem: str, remedy: str) -> NoReturn:
    raise ConfigurationError("REDIS_URL", problem, remedy)
