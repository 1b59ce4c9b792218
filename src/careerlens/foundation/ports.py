"""TCP ports of this machine: which are free, and finding one that is."""

from __future__ import annotations

import errno
import secrets
import socket
from contextlib import closing

LOOPBACK = "127.0.0.1"
_BELOW_OUTGOING = range(20_000, 32_768)
_TRIES = 100


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
    """A port of `host` that nobody listens on now.

    It lies below the range from which systems take the ports of outgoing connections, so that
    none of those takes it before a server does.

    Raises `OSError` when no port can be found.
    """
    for _ in range(_TRIES):
        port = secrets.choice(_BELOW_OUTGOING)
        if is_free(port, host):
            return port
    raise OSError(errno.EADDRINUSE, f"no free port was found on {host}")
