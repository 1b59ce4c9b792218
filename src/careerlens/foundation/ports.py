"""TCP ports of this machine: which are free, and finding one that is."""

from __future__ import annotations

import socket
from contextlib import closing

LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port of `host` (a name or an address) now."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return False
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # As servers do themselves: closed connections of a former server are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError:
            return False
    return True


def any_free_port(host: str = LOOPBACK) -> int:
    """A port of `host` that nobody listens on now."""
    family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.bind(address)
        port: int = probe.getsockname()[1]
        return port
