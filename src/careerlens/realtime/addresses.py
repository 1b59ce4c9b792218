"""From which address a connection comes, and how many of one may be open.

A proxy of ours writes where a request came from at the end of `X-Forwarded-For`. It is believed
when it speaks to us from this machine or a private network: anybody else could write what they
like there. What stands further left than the first public address was written by strangers.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from careerlens.foundation.logging import get_logger

_SUBSCRIBER_BITS = 64
_MOST_PROXIES = 20
_LONGEST = 45
_PRIVATE = tuple(
    ip_network(each)
    for each in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
_WARN_EVERY_S = 60.0
_log = get_logger("careerlens.realtime.addresses")


def counted_as(address: str | None, forwarded_for: str | None) -> str | None:
    """The address that a connection counts for; None when it is this machine's own.

    `address` is the other side's, `forwarded_for` the header's value. An IPv6 network of 64 bits,
    which is what one subscriber has, counts as one address.
    """
    if address is None:
        return None
    peer = _parsed(address)
    if peer is None or not _is_private(peer):
        return _name(address, peer)
    if forwarded_for is None:
        return None if peer.is_loopback else _name(address, peer)
    nearest = None
    for text in reversed(forwarded_for.split(",")[-_MOST_PROXIES:]):
        found = _parsed(text.strip())
        if found is None:
            break
        nearest = _name(text.strip(), found)
        if not _is_private(found):
            break
    return nearest or _name(address, peer)


class AddressCount:
    """How many connections each address has here, at most `most`; 0 means any number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()
        self._warn_at = 0.0

    def take(self, address: str | None) -> bool:
        """Count one more; False, and nothing is counted, when there are too many."""
        if address is None or not self._most:
            return True
        if self._open[address] >= self._most:
            self._warn(address)
            return False
        self._open[address] += 1
        return True

    def give_back(self, address: str | None) -> None:
        """Count one less."""
        if address is None or not self._most:
            return
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def _warn(self, address: str) -> None:
        now = time.monotonic()
        if now >= self._warn_at:
            self._warn_at = now + _WARN_EVERY_S
            _log.warning(
                "connections_refused",
                address=address,
                limit=self._most,
                hint="a proxy whose clients these are? raise SOCKET_MAX_PER_ADDRESS",
            )


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    return _read(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


@lru_cache(maxsize=1024)
def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _PRIVATE)


def _name(text: str, address: IPv4Address | IPv6Address | None) -> str:
    if address is None:
        return text
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _SUBSCRIBER_BITS), strict=False))
    return str(address)
