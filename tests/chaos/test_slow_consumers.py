"""Clients that read a kilobyte a second of far more are sent away, come back, and miss nothing."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.connection import Limits
from careerlens.realtime.entries import UPDATE_FIELD, encode_update, parse_position
from figures import IS_WHOLE, show, sized
from following import Follower, all_connected, following
from gateway_process import GatewayProcess
from raw_sockets import Bytes, asking, frame
from support import eventually
from telling import Teller
from tokens import token

MIB = 1024 * 1024
PER_S = 1_000
READS_PER_S = 1_024
ENTRY = JobUpdate(
    id="",
    job_id="j" * 2_000,
    type="echo",
    event=JobEventKind.QUEUED,
    status=JobStatus.QUEUED,
    timestamp=1,
)


class SlowReader:
    """Reads a kilobyte a second, also of what is still on its way when it was sent away.

    From when it is no longer slow it reads what there is, and comes back for the rest.
    """

    def __init__(self, port: int, user: str, last: str) -> None:
        self.ids: list[str] = []
        """Of all that it was told after `last`."""
        self.came_back = -1
        self.is_slow = True
        self._port = port
        self._user = user
        self._last = last

    async def read(self) -> None:
        while True:
            self.came_back += 1
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                async with asking(self._port) as (_, client):
                    await self._read_from(client)

    async def _read_from(self, client: Bytes) -> None:
        await client.hears("0")
        auth = {"token": token(self._user), "lastEventId": self.ids[-1] if self.ids else self._last}
        client.writer.write(frame(b"40" + json.dumps(auth).encode()))
        held = bytearray()
        while data := await client.reader.read(READS_PER_S if self.is_slow else 65_536):
            held += data
            while (size := _size_of_frame(held)) and len(held) >= sum(size):
                head, length = size
                self._take(bytes(held[head : head + length]), client)
                del held[: head + length]
            if self.is_slow:
                await asyncio.sleep(len(data) / READS_PER_S)

    def _take(self, packet: bytes, client: Bytes) -> None:
        if packet.startswith(b'42["job:update",'):
            self.ids.append(orjson.loads(packet[2:])[1]["id"])
        elif packet == b"2":
            client.writer.write(frame(b"3"))


def _size_of_frame(held: bytearray) -> tuple[int, int] | None:
    """Of a server's frame: its head's size, and its payload's."""
    if len(held) < 2 or (held[1] == 126 and len(held) < 4):
        return None
    assert held[1] < 127, "no frame is so large"
    return (4, int.from_bytes(held[2:4])) if held[1] == 126 else (2, held[1])


class Watch:
    """What the gateway's memory was at most, while it is looked at."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self.most_bytes = 0

    def look(self) -> int:
        found = re.search(r"VmRSS:\s+(\d+) kB", self._status.read_text())
        assert found is not None
        now = int(found[1]) * 1024
        self.most_bytes = max(self.most_bytes, now)
        return now


def p99_ms(followers: Sequence[Follower], since: float) -> float:
    """Of the time from telling to hearing, of what was told from then on."""
    delays = sorted(
        heard - float(entry["progress"]["message"])
        for one in followers
        for entry, heard in zip(one.entries, one.heard_at, strict=True)
        if float(entry["progress"]["message"]) >= since
    )
    return delays[len(delays) * 99 // 100] * 1_000


def sent_away(gateway: GatewayProcess, reason: str) -> int:
    """How many connections the gateway says that it has closed for that."""
    lines = gateway.log().splitlines()
    return sum("connection_closed" in line and reason in line for line in lines)


@pytest.mark.timeout(600)
async def test_who_reads_too_slowly_holds_little_disturbs_nobody_and_resumes_without_loss(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    """A thousand entries a second for one user, who has several slow clients."""
    count, calm_s, slow_s = sized(2, 5), sized(1, 15), sized(1, 30)
    ids: list[str] = []
    others = [f"other-{number}" for number in range(sized(5, 20))]
    gateway, teller = GatewayProcess(tmp_path, redis_url), Teller(redis)

    async def tell_for(seconds: float) -> float:
        """Until then, and until each slow client was sent away; since when, by `monotonic`."""
        began = due = time.monotonic()
        while due < began + seconds or sent_away(gateway, "slow_consumer") < len(readers):
            pipeline = redis.pipeline(transaction=False)
            for _ in range(PER_S // 20):
                pipeline.xadd(feed_key("ada"), {UPDATE_FIELD: encode_update(ENTRY)})
            ids.extend(await pipeline.execute())
            await redis.publish(wake_channel("ada"), ids[-1])
            await teller.tell(others)
            memory.look()
            due += 0.05
            await asyncio.sleep(due - time.monotonic())
            assert time.monotonic() < began + sized(40, 120), "a client that hardly reads was kept"
        return began

    async with AsyncExitStack() as stack:
        process = stack.enter_context(gateway.running())
        await eventually(gateway.answers, within=60)
        followers = await stack.enter_async_context(
            following(others, [gateway.port], random.Random(7))
        )
        await all_connected(followers)
        memory = Watch(process.pid)
        readers: list[SlowReader] = []
        calm_since = await tell_for(calm_s)
        calm_ms = p99_ms(followers, calm_since)
        before = memory.look()
        readers += [SlowReader(gateway.port, "ada", ids[-1]) for _ in range(count)]
        ids.clear()
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(reader.read()) for reader in readers]
            slow_since = await tell_for(slow_s)
            await eventually(
                lambda: all(len(one.entries) == len(teller.ids[one.user]) for one in followers)
            )
            slow_ms = p99_ms(followers, slow_since)
            grown = memory.most_bytes - before
            told_why = sent_away(gateway, "slow_consumer")
            for reader in readers:
                reader.is_slow = False
            try:
                await eventually(
                    lambda: all(reader.ids[-1:] == ids[-1:] for reader in readers),
                    within=sized(30, 120),
                )
            finally:
                for task in reading:
                    task.cancel()
                expected = len(ids) * count
                distinct = sum(len(set(reader.ids)) for reader in readers)
                show(
                    "J8",
                    slow_clients=count,
                    entries=len(ids),
                    mib_told=round(len(ids) * 2_200 / MIB),
                    sent_away=told_why,
                    came_back=sum(reader.came_back for reader in readers),
                    expected=expected,
                    told=sum(len(reader.ids) for reader in readers),
                    missed=expected - distinct,
                    doubled=sum(len(reader.ids) for reader in readers) - distinct,
                    misordered=sum(
                        reader.ids != sorted(reader.ids, key=parse_position) for reader in readers
                    ),
                    mib_each=round(grown / MIB / count, 2),
                    others_p99_ms=round(slow_ms, 1),
                    without_them_ms=round(calm_ms, 1),
                )
    assert told_why >= count
    assert [reader.ids == ids for reader in readers] == [True] * count
    # What is queued, the page of the feed that it is taken from, and what the pages leave behind.
    assert grown < count * 3 * Limits().outbox_bytes + 8 * MIB
    if IS_WHOLE:
        assert slow_ms < max(1.2 * calm_ms, 50.0)
