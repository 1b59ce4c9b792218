"""Primaries of a cluster and relays are killed under load: every feed tells every event once.

make soak ARGS="-k cluster"
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.jobs.ids import new_job_id
from careerlens.jobs.keys import feed_key
from careerlens.jobs.model import JobUpdate
from careerlens.realtime.feed import Feed
from careerlens.realtime.ledger import position_key
from careerlens.wire import CommandRejectedError, Link, open_link
from relaying import everything, relay_process
from support import eventually
from topologies import cluster

PREFIX, QUEUE = "{bull}", "echo"
EVENTS = f"{PREFIX}:{QUEUE}:events"
USERS = [f"user-{number}" for number in range(60)]
PER_SECOND, SECONDS = 300, 12


@pytest.mark.parametrize("key", [position_key(QUEUE), EVENTS, feed_key(USERS[1])])
async def test_every_event_is_told_once_though_a_primary_and_relays_die(
    tmp_path: Path, key: str
) -> None:
    jobs = {str(new_job_id(user, QUEUE)): user for user in USERS}
    async with (
        cluster(tmp_path, replica_of=key) as nodes,
        open_link(nodes.url) as link,
        Feed(nodes.url) as feed,
    ):
        with ExitStack() as relays:
            first, _ = (
                relays.enter_context(relay_process(nodes.url, QUEUE, prefix=PREFIX))
                for _ in range(2)
            )
            producing = asyncio.create_task(_produce(link, list(jobs)))
            await asyncio.sleep(SECONDS / 4)
            first.kill()
            relays.enter_context(relay_process(nodes.url, QUEUE, prefix=PREFIX))
            await asyncio.sleep(SECONDS / 4)
            nodes.owner_of(key).kill()
            await producing
            happened = await _happened(link, jobs)
            for user, expected in happened.items():
                await eventually(lambda u=user, e=expected: _ends_with(feed, u, e[-1]), within=60)  # type: ignore[misc]
            heard = {user: await _told(feed, user) for user in USERS}
    repeated = sum((Counter(told) - Counter(set(told))).total() for told in heard.values())
    missing = sum(len({*happened[user]} - {*heard[user]}) for user in USERS)
    count = sum(map(len, heard.values()))
    print(f"\n{key}: {count} entries told, {repeated} twice, {missing} missing")
    assert (repeated, missing) == (0, 0)
    for user in USERS:
        known = {*happened[user]}  # a primary may have died with events that were told
        assert [message for message in heard[user] if message in known] == happened[user]


async def _produce(link: Link, job_ids: list[str]) -> None:
    began_ms, began = epoch_ms(), time.monotonic()
    for number in range(PER_SECOND * SECONDS):
        await _add(link, f"{began_ms + number}-0", job_ids[number % len(job_ids)], f"no. {number}")
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))


async def _add(link: Link, entry_id: str, job_id: str, message: str) -> None:
    """Insist: the same id is taken once."""
    progress = json.dumps({"percent": 50, "message": message})
    fields = ("event", "progress", "jobId", job_id, "data", progress)
    while True:
        try:
            await link.call("XADD", EVENTS, entry_id, *fields)
        except CommandRejectedError as error:
            if "equal or smaller" not in error.reply:
                raise
        except ServiceUnavailableError:
            await asyncio.sleep(0.05)
            continue
        return


async def _happened(link: Link, jobs: dict[str, str]) -> dict[str, list[str]]:
    """What the stream says in the end, by user."""
    found: dict[str, list[str]] = {user: [] for user in USERS}
    for _, flat in await link.call("XRANGE", EVENTS, "-", "+"):
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        message = json.loads(fields[b"data"])["message"]
        found[jobs[fields[b"jobId"].decode()]].append(message)
    return found


async def _told(feed: Feed, user: str) -> list[str]:
    entries = await everything(feed, user)
    # Where a primary died with the end of the stream, there is a resync as well.
    return [
        entry.progress.message
        for entry in entries
        if isinstance(entry, JobUpdate) and entry.progress is not None
    ]


async def _ends_with(feed: Feed, user: str, message: str) -> bool:
    return (await _told(feed, user))[-1:] == [message]
