"""Everything a queue has stored, read by the type of each key, to be compared with another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

# Far more than two sides of a test are ever apart, far less than durations that differ.
_TTL_TOLERANCE_MS = 60_000
# The server's `hash-max-listpack-value`, in bytes.
_LONGEST_LISTED = 64


@dataclass(frozen=True, slots=True)
class Dump:
    """What stands under a prefix: content by key, and which keys expire in how many ms.

    Lists, hashes and sorted sets keep their order, so equal contents are equal bytes. Only a hash
    with a long value has none: the server keeps it as a table. Entries of the event stream are
    without their ids, which the server's clock makes.
    """

    keys: dict[str, Any]
    ttls_ms: dict[str, int]

    def expires_like(self, other: Dump) -> bool:
        """Whether the same keys expire, and after about the same time."""
        return self.ttls_ms.keys() == other.ttls_ms.keys() and all(
            abs(ttl - other.ttls_ms[key]) < _TTL_TOLERANCE_MS for key, ttl in self.ttls_ms.items()
        )


async def dump(client: Redis, base: str) -> Dump:
    """Read every key that begins with `base`, named without it. The client must not decode."""
    keys = sorted([key async for key in client.scan_iter(f"{base}*", count=1_000)])
    async with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.type(key)
            pipeline.pttl(key)
        answers = await pipeline.execute()
    kinds, ttls = answers[::2], answers[1::2]
    async with client.pipeline(transaction=False) as pipeline:
        for key, kind in zip(keys, kinds, strict=True):
            pipeline.execute_command(*_READ[kind.decode()](key))
        contents = await pipeline.execute()
    names = [key.decode().removeprefix(base) for key in keys]
    return Dump(
        {
            name: _shown(kind.decode(), content)
            for name, kind, content in zip(names, kinds, contents, strict=True)
        },
        {name: ttl for name, ttl in zip(names, ttls, strict=True) if ttl >= 0},
    )


_READ: dict[str, Callable[[bytes], tuple[bytes | str | int, ...]]] = {
    "string": lambda key: ("GET", key),
    "hash": lambda key: ("HGETALL", key),
    "set": lambda key: ("SMEMBERS", key),
    "list": lambda key: ("LRANGE", key, 0, -1),
    "zset": lambda key: ("ZRANGE", key, 0, -1, "WITHSCORES"),
    "stream": lambda key: ("XRANGE", key, "-", "+"),
}


def _shown(kind: str, content: Any) -> Any:
    if kind == "stream":
        return [list(fields.items()) for _, fields in content]
    if kind == "hash":
        return in_order(list(content.items()))
    if kind == "zset":
        return [list(item) for item in zip(content[::2], content[1::2], strict=True)]
    return sorted(content) if kind == "set" else content


def in_order(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A hash's fields as they were written; sorted where the server does not keep that order."""
    is_table = any(len(word) > _LONGEST_LISTED for pair in fields for word in pair)
    return sorted(fields) if is_table else fields
