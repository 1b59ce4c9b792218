"""Opens the link that a URL asks for."""

from __future__ import annotations

from careerlens.foundation.redisurl import RedisUrl, Topology
from careerlens.wire.cluster import ClusterLink
from careerlens.wire.link import Link


def open_link(url: str, *, name: str = "careerlens", timeout_s: float = 5.0) -> Link:
    """A link to whatever `url` names; it connects when it is first used, or by `connect`.

    Belongs to the event loop that uses it first. `name` is what CLIENT LIST shows, `timeout_s`
    is as of `Link`. Raises `ConfigurationError` for a URL that cannot be used.
    """
    kind = ClusterLink if RedisUrl.parse(url).topology is Topology.CLUSTER else Link
    return kind(url, name=name, timeout_s=timeout_s)
