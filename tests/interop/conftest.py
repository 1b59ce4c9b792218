"""A Node process with npm's `bullmq`, on the server that the test uses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from node_peer import NodePeer, node_peer
from support import Valkey


@pytest.fixture
async def node(valkey_server: Valkey, redis_url: str) -> AsyncIterator[NodePeer]:
    """Npm's `bullmq`, connected to the shared server, which is emptied for this test."""
    async with node_peer(valkey_server.port) as peer:
        yield peer
