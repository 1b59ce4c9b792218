"""The npm package `bullmq` in a Node process of its own, asked to do things."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "interop"


class NodePeer:
    """A Node process with the npm package, asked to do things."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[dict[str, Any]] = []
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def do(self, action: str, *args: Any) -> Any:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        line = json.dumps({"call": number, "do": action, "args": args})
        self._process.stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(20):
            return await self._answers[number]

    def events_of(self, job_id: str) -> list[str]:
        return [event["event"] for event in self.events if event.get("jobId") == job_id]

    def has_seen(self, event: str, job_id: str) -> bool:
        return event in self.events_of(job_id)

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "call" not in message:
                self.events.append(message)
            elif "error" in message:
                self._answers[message["call"]].set_exception(AssertionError(message["error"]))
            else:
                self._answers[message["call"]].set_result(message["value"])


@asynccontextmanager
async def node_peer(port: int) -> AsyncIterator[NodePeer]:
    """A peer connected to the Redis on this loopback port. Needs `npm ci` in tests/interop."""
    async with node_process("peer.mjs", f"127.0.0.1:{port}") as peer:
        yield peer


@asynccontextmanager
async def node_process(script: str, *arguments: str) -> AsyncIterator[NodePeer]:
    """A script of tests/interop that does what it is asked to."""
    assert (HERE / "node_modules" / "bullmq").is_dir(), "run `npm ci` in tests/interop first"
    process = await asyncio.create_subprocess_exec(
        "node",
        script,
        *arguments,
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    peer = NodePeer(process)
    listening = asyncio.create_task(peer.listen())
    try:
        yield peer
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            raise
        await listening
