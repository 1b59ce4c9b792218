"""Relays and what they wrote, for tests of the path from a queue to its owners' feeds."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

from careerlens.jobs.model import JobUpdate
from careerlens.realtime.entries import START, Entry
from careerlens.realtime.feed import Feed
from careerlens.realtime.relay import Relay
from support import eventually


@contextlib.asynccontextmanager
async def running_relay(url: str, *queues: str, prefix: str = "bull") -> AsyncIterator[Relay]:
    """A relay of these queues in this process."""
    relay = Relay(url, queues, prefix=prefix)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def relay_process(
    url: str, *queues: str, prefix: str = "bull"
) -> Iterator[subprocess.Popen[bytes]]:
    """A relay in a process of its own, to be killed or frozen."""
    program = (
        "import asyncio, sys; from careerlens.realtime.relay import Relay; "
        "asyncio.run(Relay(sys.argv[1], sys.argv[3:], prefix=sys.argv[2]).run())"
    )
    process = subprocess.Popen([sys.executable, "-c", program, url, prefix, *queues])
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)


async def everything(feed: Feed, user: str) -> list[Entry]:
    """The whole feed of a user."""
    entries: list[Entry] = []
    position = START
    while True:
        page = await feed.read(user, position)
        entries += page.entries
        position = page.position
        if page.is_last:
            return entries


async def updates(feed: Feed, user: str) -> list[JobUpdate]:
    """The whole feed of a user, which must hold nothing but updates."""
    entries = await everything(feed, user)
    assert all(isinstance(entry, JobUpdate) for entry in entries), entries
    return [entry for entry in entries if isinstance(entry, JobUpdate)]


async def told(feed: Feed, user: str, count: int, *, within: float = 10) -> list[str]:
    """What the user was told, once it is `count` entries: `event` or `event percent`."""

    async def names() -> list[str] | None:
        found = await updates(feed, user)
        return [_name(update) for update in found] if len(found) >= count else None

    return await eventually(names, within=within) or []


async def is_told_of_completion(feed: Feed, user: str, job_id: str) -> bool:
    """Whether the user's feed tells that the job is completed."""
    found = await updates(feed, user)
    return any(update.job_id == job_id and update.status == "completed" for update in found)


def _name(update: JobUpdate) -> str:
    if update.progress is None:
        return str(update.event)
    return f"{update.event} {update.progress.percent:g}"
