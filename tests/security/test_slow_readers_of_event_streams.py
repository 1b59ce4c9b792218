"""Who opens a stream of events and does not read it holds neither memory nor a place for long."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from redis.asyncio import Redis

from apis import running_api
from careerlens.jobs.keys import feed_key
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime import heads
from careerlens.realtime.entries import UPDATE_FIELD, encode_update
from event_streams import begun, listening
from support import eventually
from tokens import token

ENTRIES = 3_000


async def fill_feed(redis: Redis, user: str) -> list[str]:
    """Some six megabytes of entries: more than any buffer on the way takes; their ids."""
    update = JobUpdate(
        id="", job_id="j" * 2_000, type="echo", event=JobEventKind.QUEUED,
        status=JobStatus.QUEUED, timestamp=1,
    )  # fmt: skip
    pipeline = redis.pipeline(transaction=False)
    for _ in range(ENTRIES):
        pipeline.xadd(feed_key(user), {UPDATE_FIELD: encode_update(update)})
    return [str(each) for each in await pipeline.execute()]


def ask_and_read_nothing(port: int, user: str, last: str) -> socket.socket:
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    reader.connect(("127.0.0.1", port))
    reader.sendall(
        f"GET /api/jobs/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n"
        f"Authorization: Bearer {token(user)}\r\n\r\n".encode()
    )
    return reader


async def test_who_reads_nothing_is_cut_off_and_others_are_not(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert heads.STALL_TIMEOUT_S == 30
    monkeypatch.setattr(heads, "STALL_TIMEOUT_S", 0.5)
    ids = await fill_feed(redis, "greedy")
    async with (
        running_api(redis_url, tmp_path) as api,
        api.client("calm") as client,
        begun(client) as calm,
    ):
        feed = api.app.state.services.feed
        readers = [ask_and_read_nothing(api.port, "greedy", ids[0]) for _ in range(5)]
        try:
            await eventually(lambda: len(feed.channels) == 2)
            await eventually(lambda: len(feed.channels) == 1, within=30)
        finally:
            for reader in readers:
                reader.close()
        api.app.state.services.streams.stop()
        ((name, _),) = await calm.rest()
        assert name == "closed"


async def test_who_was_cut_off_resumes_without_loss(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    ids = await fill_feed(redis, "slow")
    async with running_api(redis_url, tmp_path) as api, api.client("slow") as client:
        seen: list[str] = []
        last = ids[0]
        while len(seen) < ENTRIES - 1:
            async with listening(client, Last_Event_ID=last) as events:
                for _ in range(min(1_000, ENTRIES - 1 - len(seen))):
                    ((_, data),) = await events.take(1)
                    seen.append(data["id"])
                last = events.last_id
                await asyncio.sleep(0)
    assert seen == ids[1:]
