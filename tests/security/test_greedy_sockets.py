"""Clients that want all of a gateway for themselves: what it costs, what they are told.

The gateway is a process of its own, so that its memory is nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from careerlens.jobs.keys import feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.connection import Limits
from careerlens.realtime.entries import UPDATE_FIELD, encode_update
from figures import show, sized
from raw_sockets import MASK, Bytes, frame, introduced
from stack import Product
from support import Valkey, eventually
from tokens import SECRET, token

MIB = 1024 * 1024
POLLING = "/socket.io/?EIO=4&transport=polling"
ASKS = b'420["unsubscribe:job","x"]'


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, valkey_server: Valkey) -> Iterator[Product]:
    """A gateway as it runs in production."""
    product = Product(
        tmp_path_factory.mktemp("product"),
        valkey_server.url,
        CAREERLENS_ENV="production",
        JWT_SECRET=SECRET.decode(),
        SOCKET_HOST="127.0.0.1",
    )
    try:
        product.start("socket")
        asyncio.run(product.ready("socket"))
        yield product
    finally:
        product.stop()


def resident_bytes(product: Product) -> int:
    status = Path(f"/proc/{product.pid('socket')}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


async def is_served(client: Bytes) -> None:
    client.writer.write(frame(ASKS))
    assert await client.hears("430") == '430[{"ok":true}]'


async def pour(client: Bytes, data: bytes, times: int) -> int:
    """Send as much as is taken; how many times."""
    sent = 0
    with contextlib.suppress(ConnectionError, TimeoutError):
        for _ in range(times):
            client.writer.write(data)
            await asyncio.wait_for(client.writer.drain(), 2)
            await asyncio.sleep(0)
            sent += 1
            if client.reader.at_eof():
                break
    return sent


async def last_words(client: Bytes) -> tuple[int, str]:
    """Code and reason of the close frame; whoever pours on may find it cut off."""
    while True:
        opcode, payload = await client.frame()
        if opcode == 8:
            return int.from_bytes(payload[:2]), payload[2:].decode()


@pytest.mark.parametrize(
    ("data", "times", "told"),
    [
        (frame(b"4" + b"x" * MIB), 100, (1009, "the message exceeds the maximum size")),
        (b"\x81\xff" + (50 * MIB).to_bytes(8, "big") + MASK + b"x" * MIB, 50,
         (1009, "the message exceeds the maximum size")),
        (frame(b"4" + b"x" * 60_000, final=False) + frame(b"x" * 60_000, opcode=0), 100,
         (1009, "the message exceeds the maximum size")),
        (frame(b'42["subscribe:job","' + b"j" * 60_000 + b'"]'), 100, (1008, "rate_limited")),
        (frame(b'42["nothing"]') * 1_000, 100, (1008, "rate_limited")),
        (frame(b'42["subscribe:job","x"]') * 1_000, 10, (1008, "rate_limited")),
        (b"".join(frame(b'42%d["subscribe:job","j%d"]' % (n, n)) for n in range(10_000)), 1,
         (1008, "rate_limited")),
        (b"".join(frame(b"43%d[]" % n) for n in range(1_000)), 10, (1008, "rate_limited")),
        (frame(b"2") * 100, 1, (1008, "protocol_error")),
        (frame(b'451000000-["a",{"_placeholder":true,"num":0}]') + frame(b"x" * 60_000, opcode=2),
         100, (1008, "protocol_error")),
        (frame(b"\0" * 60_000, opcode=2), 100, (1003, "binary is not taken")),
        (frame(b"\0" * 60_000, bits=0x40), 100, (1002, "protocol_error")),
        (frame(b"p" * 100, opcode=9) * 1_000, 100, (1008, "rate_limited")),
        (frame(b"", final=False) + frame(b"", opcode=0, final=False) * 1_000, 10,
         (1008, "rate_limited")),
    ],
    ids=[
        "frames of 1 MB", "frames of 50 MB", "fragments", "64 kB each", "100,000 tiny events",
        "room joins of one", "10,000 room joins", "acknowledgements", "pings", "attachments",
        "binary", "compressed", "control frames", "empty fragments",
    ],
)  # fmt: skip
async def test_who_takes_too_much_is_sent_away_and_told_why_in_bounded_memory(
    product: Product, data: bytes, times: int, told: tuple[int, str]
) -> None:
    async with introduced(product.socket_port, "calm") as calm:
        await is_served(calm)
        before = resident_bytes(product)
        async with introduced(product.socket_port, f"greedy-{uuid4().hex}") as greedy:
            farewell = asyncio.create_task(last_words(greedy))
            pouring = asyncio.create_task(pour(greedy, data, times))
            await is_served(calm)
            try:
                assert await farewell == told
            finally:
                await pouring
        await is_served(calm)
        grown = resident_bytes(product) - before
        show(
            f"S31, S32, S34: {told[0]} {told[1]}",
            offered_mib=round(len(data) * times / MIB, 1),
            grown_mib=round(grown / MIB, 1),
        )
        assert grown < 15 * MIB


async def test_many_who_read_nothing_hold_little_each(product: Product, redis: Redis) -> None:
    """A megabyte at most, however much there would be to read; what they miss stays in Redis."""
    slow = sized(12, 50)
    update = JobUpdate(
        id="", job_id="j" * 2_000, type="echo", event=JobEventKind.QUEUED,
        status=JobStatus.QUEUED, timestamp=1,
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        calm = await stack.enter_async_context(introduced(product.socket_port, "calm"))
        await is_served(calm)
        before = resident_bytes(product)
        for number in range(slow):
            user = f"slow-{number}"
            client = await stack.enter_async_context(introduced(product.socket_port, user))
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(8):
            pipeline = redis.pipeline(transaction=False)
            for number in range(slow):
                for _ in range(250):
                    pipeline.xadd(feed_key(f"slow-{number}"), {UPDATE_FIELD: encode_update(update)})
                pipeline.publish(wake_channel(f"slow-{number}"), "0-0")
            await pipeline.execute()
            await is_served(calm)
        allowed = slow * (Limits().outbox_bytes + 256 * 1024) + 8 * MIB
        grown = resident_bytes(product) - before
        show("who read nothing of 4 MiB", clients=slow, mib_each=round(grown / MIB / slow, 2))
        assert grown < allowed


async def test_bodies_of_polls_count_as_well(product: Product) -> None:
    async with (
        introduced(product.socket_port, "calm") as calm,
        httpx.AsyncClient(base_url=product.socket_url, timeout=20) as http,
    ):
        await is_served(calm)
        before = resident_bytes(product)
        for body in ("\x1e".join(['42["nothing"]'] * 64), "4" + "x" * 60_000):
            sid = (await http.get(POLLING)).text.split('"sid":"')[1].split('"')[0]
            introduction = "40" + json.dumps({"token": token("greedy")})
            assert (await http.post(f"{POLLING}&sid={sid}", content=introduction)).text == "ok"
            assert (await http.get(f"{POLLING}&sid={sid}")).text.startswith("40")
            codes = [
                (await http.post(f"{POLLING}&sid={sid}", content=body)).status_code
                for _ in range(20)
            ]
            assert codes[-1] == 400
            assert set(codes) <= {200, 400}
            assert (await http.get(f"{POLLING}&sid={sid}")).status_code in {200, 400}
            assert (await http.get(f"{POLLING}&sid={sid}")).status_code == 400
        await is_served(calm)
        assert resident_bytes(product) - before < 15 * MIB


async def test_connections_that_come_and_go_leave_nothing_behind(product: Product) -> None:
    async def come_and_go(number: int) -> None:
        for _ in range(20):
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                async with introduced(product.socket_port, f"guest-{number}") as client:
                    client.writer.transport.abort()

    await asyncio.gather(*(come_and_go(number) for number in range(10)))
    before = resident_bytes(product)
    await asyncio.gather(*(come_and_go(number) for number in range(30)))
    async with introduced(product.socket_port, "calm") as calm:
        await is_served(calm)
    await eventually(lambda: resident_bytes(product) - before < 8 * MIB)
