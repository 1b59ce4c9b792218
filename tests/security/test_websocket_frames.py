"""Frames that no client of ours would send, byte by byte, and what the gateway answers.

The numbers are those of RFC 6455, where the sections stand beside each case.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from itertools import pairwise
from pathlib import Path

import pytest

from careerlens.realtime import websocket
from careerlens.realtime.connection import Limits
from careerlens.realtime.frames import unmasked
from gateways import RunningGateway, connected, running_gateway
from raw_sockets import ACCEPT, MASK, PATH, asking, frame, introduced
from support import eventually

MIB = 1024 * 1024


ASKS = b'420["unsubscribe:job","x"]'


async def test_the_handshake_is_answered_as_the_standard_says(gateway: RunningGateway) -> None:
    async with asking(gateway.port) as (head, _):
        assert head.startswith("HTTP/1.1 101 ")
        assert f"Sec-WebSocket-Accept: {ACCEPT}\r\n" in head
        assert "extensions" not in head.lower()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Sec_WebSocket_Version": "12"}, 400),  # 4.2.1
        ({"Sec_WebSocket_Version": None}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"method": "POST"}, 400),
        ({"path": "/elsewhere"}, 403),
        ({"path": "/socket.io/?EIO=4&transport=polling"}, 400),
        ({"path": "/socket.io/?EIO=3&transport=websocket"}, 400),
        ({"path": PATH + "&sid=unknown"}, 400),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
async def test_a_handshake_that_is_none_is_refused(
    gateway: RunningGateway, change: dict[str, str], status: int
) -> None:
    async with asking(gateway.port, **change) as (head, client):
        assert head.startswith(f"HTTP/1.1 {status} ")
        async with asyncio.timeout(10):
            await client.reader.read()
    assert not gateway.gateway.sessions


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(ASKS, masked=False), 1002),  # 5.1
        (frame(ASKS, bits=0x40), 1002),  # 5.2: compressed, as nobody agreed on
        (frame(ASKS, bits=0x10), 1002),
        (frame(b"", opcode=3), 1002),  # 5.2: reserved
        (frame(b"", opcode=0xB), 1002),
        (frame(ASKS, opcode=0), 1002),  # 5.4: goes on with nothing
        (frame(b"42", final=False) + frame(ASKS), 1002),  # 5.4: begins within another
        (frame(b"", opcode=9, final=False), 1002),  # 5.5
        (frame(b"x" * 126, opcode=9), 1002),  # 5.5
        (frame(b"bytes", opcode=2), 1003),
        (frame(b'42["\xff"]'), 1007),  # 8.1
        (frame(b'42["\xc3', final=False) + frame(b'("]', opcode=0), 1007),
        (frame(b"4" + b"x" * 65_536), 1009),
        (b"\x81\xff" + (50 * MIB).to_bytes(8, "big") + MASK, 1009),  # before it has come
        (b"\x81\xff" + b"\xff" * 8 + MASK, 1009),
        ((frame(b"4" * 40_000, final=False) + frame(b"4" * 40_000, opcode=0)), 1009),
        (frame(b"3") * 400, 1008),
        (frame(b"", opcode=9) * 400, 1008),
        (frame(b"", final=False) + frame(b"", opcode=0, final=False) * 400, 1008),
    ],
    ids=lambda value: value if isinstance(value, int) else "",
)
async def test_a_frame_that_breaks_a_rule_closes_its_connection_and_no_other(
    gateway: RunningGateway, data: bytes, code: int
) -> None:
    async with connected(gateway, "bob") as bystander, introduced(gateway.port) as client:
        client.writer.write(data)
        assert (await client.is_closed())[0] == code
        assert await bystander.call("unsubscribe:job", "x") == {"ok": True}
        await eventually(lambda: [one.user_id for one in gateway.gateway.sessions] == ["bob"])


async def test_messages_may_come_in_pieces_with_pings_between_and_byte_by_byte(
    gateway: RunningGateway,
) -> None:
    async with introduced(gateway.port) as client:
        client.writer.write(frame(ASKS[:5], final=False))
        client.writer.write(frame(b"are you there?", opcode=9))
        client.writer.write(frame(b"", opcode=0, final=False) + frame(ASKS[5:], opcode=0))
        assert await client.frame() == (0xA, b"are you there?")
        assert await client.hears("430") == '430[{"ok":true}]'
        for byte in frame(ASKS) + frame(b"", opcode=0xA):
            client.writer.write(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert await client.hears("430") == '430[{"ok":true}]'


async def test_who_says_goodbye_is_answered(gateway: RunningGateway) -> None:
    async with introduced(gateway.port) as client:
        client.writer.write(frame((1000).to_bytes(2, "big") + b"bye", opcode=8))
        assert await client.is_closed() == (1000, "")
        await eventually(lambda: not gateway.gateway.sessions)


async def test_a_client_that_vanishes_without_a_word_is_forgotten(redis_url: str) -> None:
    limits = Limits(ping_interval_s=0.1, ping_timeout_s=0.2, flush_s=0.2)
    async with (
        running_gateway(redis_url, limits=limits) as gateway,
        introduced(gateway.port) as client,
    ):
        assert await client.is_closed() == (1008, "ping_timeout")
        await eventually(lambda: not gateway.gateway.sessions)


async def test_who_keeps_writing_after_being_sent_away_is_cut_off(redis_url: str) -> None:
    limits = Limits(flush_s=0.3)
    async with (
        running_gateway(redis_url, limits=limits) as gateway,
        introduced(gateway.port) as client,
    ):
        flood = frame(b"4" * 60_000) * 10

        async def pour() -> None:
            while True:
                client.writer.write(flood)
                await client.writer.drain()

        async with asyncio.timeout(20):
            with pytest.raises(OSError):  # noqa: PT011 (reset, or a broken pipe)
                await pour()
        await eventually(lambda: not gateway.gateway.sessions)


@pytest.mark.parametrize("flood", [frame(b'42["nothing"]'), frame(b""), frame(b"", opcode=9)])
async def test_what_follows_a_goodbye_is_not_looked_through_while_others_wait(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, flood: bytes
) -> None:
    looked_at = 0

    def count(payload: bytes, key: bytes) -> bytes:
        nonlocal looked_at
        looked_at += 1
        return unmasked(payload, key)

    monkeypatch.setattr(websocket, "unmasked", count)
    async with introduced(gateway.port) as client:
        client.writer.write(flood * 20_000)
        assert (await client.is_closed())[0] == 1008
    assert looked_at < 1_000


async def test_others_have_their_turns_while_the_packets_of_one_who_sends_many_at_once_wait(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The gateway runs on this loop: what it does in a turn is done between two looks.
    many = 250  # as many as a client may send at once, nearly
    loop = asyncio.get_running_loop()
    taken = 0
    looks: list[int] = []

    def count(payload: bytes, key: bytes) -> bytes:
        nonlocal taken
        taken += 1
        return unmasked(payload, key)

    def look() -> None:
        looks.append(taken)
        if taken < many:
            loop.call_soon(look)

    async with introduced(gateway.port) as client:
        monkeypatch.setattr(websocket, "unmasked", count)
        look()
        client.writer.write(frame(ASKS) * many)
        for _ in range(many):
            assert await client.hears("430") == '430[{"ok":true}]'
    assert taken == many
    assert max(after - before for before, after in pairwise(looks)) < 50


@pytest.mark.parametrize("pieces", [1, 7])
async def test_packets_that_wait_for_their_turn_are_all_taken_in_order(
    gateway: RunningGateway, pieces: int
) -> None:
    many = 200
    poured = b"".join(frame(b'42%d["unsubscribe:job","x"]' % number) for number in range(many))
    size = len(poured) // pieces + 1
    async with introduced(gateway.port) as client:
        for start in range(0, len(poured), size):
            client.writer.write(poured[start : start + size])
            await asyncio.sleep(0)
        answers = [await client.hears("43") for _ in range(many)]
        assert answers == [f'43{number}[{{"ok":true}}]' for number in range(many)]
        client.writer.write(frame(b'421000["unsubscribe:job","x"]'))
        assert await client.hears("43") == '431000[{"ok":true}]'


async def test_who_leaves_while_packets_wait_for_their_turn_is_forgotten(
    gateway: RunningGateway,
) -> None:
    async with introduced(gateway.port) as client:
        client.writer.write(frame(ASKS) * 250)
        await client.hears("430")
    await eventually(lambda: not gateway.gateway.sessions)
    async with introduced(gateway.port) as client:
        client.writer.write(frame(ASKS) * 200 + frame((1000).to_bytes(2), opcode=8))
        assert await client.is_closed() == (1000, "")
    await eventually(lambda: not gateway.gateway.sessions)


async def test_ten_thousand_subscriptions_take_no_memory(
    gateway: RunningGateway,
) -> None:
    # The gateway runs in this process: what it keeps is what this process grows by.
    before = _resident_bytes()
    async with connected(gateway, "bob") as bystander, introduced(gateway.port) as client:
        with contextlib.suppress(ConnectionError):  # cut off before the end
            for number in range(10_000):
                client.writer.write(frame(b'42%d["subscribe:job","job%d"]' % (number, number)))
                await client.writer.drain()
        await eventually(lambda: [one.user_id for one in gateway.gateway.sessions] == ["bob"])
        assert await bystander.call("unsubscribe:job", "x") == {"ok": True}
    assert _resident_bytes() - before < 32 * MIB


def _resident_bytes() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
