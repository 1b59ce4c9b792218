"""Tells from a URL where connections are to lead."""

from __future__ import annotations

from careerlens.foundation.redisurl import RedisUrl, Topology
from careerlens.wire.address import Address, AnyOf, Login, Server
from careerlens.wire.sentinel import Primary


def address_of(url: str) -> Address:
    """The address that a URL gives; for a cluster, that of any node of it.

    Raises `ConfigurationError` for a URL that cannot be used.
    """
    parsed = RedisUrl.parse(url)
    login = Login.of(parsed)
    if parsed.topology is Topology.SENTINEL:
        return Primary(parsed, login)
    if parsed.topology is Topology.CLUSTER:
        return AnyOf(parsed.places, login)
    return Server(parsed.path if parsed.path is not None else parsed.places[0], login)
