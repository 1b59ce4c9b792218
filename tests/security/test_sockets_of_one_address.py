"""One address cannot hold every connection of the gateway, nor who is silent one for long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import httpx
import pytest

from careerlens.foundation.settings import Settings
from careerlens.realtime.addresses import AddressCount, counted_as
from careerlens.realtime.connection import Limits
from careerlens.realtime.server import allow_many_sockets
from figures import show, sized
from gateways import RunningGateway, connected, running_gateway
from support import eventually
from tokens import token

POLLING = "/socket.io/?EIO=4&transport=polling"
SOCKET = "/socket.io/?EIO=4&transport=websocket"
MOST = 5
MIB = 1024 * 1024


@pytest.fixture
async def gateway(redis_url: str) -> AsyncIterator[RunningGateway]:
    async with running_gateway(redis_url, socket_max_per_address=MOST) as gateway:
        yield gateway


def forwarded(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


@pytest.mark.parametrize(
    ("peer", "header", "counts"),
    [
        (None, None, None),
        ("127.0.0.1", None, None),
        ("::1", None, None),
        ("::ffff:127.0.0.1", None, None),
        ("10.1.2.3", None, "10.1.2.3"),
        ("8.8.8.8", None, "8.8.8.8"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", None, "2001:db8:1:2::/64"),
        ("::ffff:8.8.8.8", None, "8.8.8.8"),
        # A stranger may write what they like; a proxy of ours appends what it saw.
        ("8.8.8.8", "9.9.9.9", "8.8.8.8"),
        ("127.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("127.0.0.1", "1.1.1.1, 9.9.9.9", "9.9.9.9"),
        ("172.17.0.1", "1.1.1.1,9.9.9.9, 10.0.0.7", "9.9.9.9"),
        ("fd00::1", "2001:db8::1", "2001:db8::/64"),
        ("127.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("127.0.0.1", "9.9.9.9, nonsense", "127.0.0.1"),
        ("127.0.0.1", "nonsense, 9.9.9.9", "9.9.9.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "9" * 5_000, "127.0.0.1"),
        ("127.0.0.1", ",".join(["10.0.0.1"] * 500), "10.0.0.1"),
        ("not an address", "9.9.9.9", "not an address"),
    ],
)
def test_the_address_that_counts_is_the_nearest_that_no_stranger_wrote(
    peer: str | None, header: str | None, counts: str | None
) -> None:
    assert counted_as(peer, header) == counts


def test_addresses_are_forgotten_when_their_last_connection_is() -> None:
    count = AddressCount(2)
    assert [count.take("a"), count.take("a"), count.take("a"), count.take("b")] == [
        True, True, False, True,
    ]  # fmt: skip
    count.give_back("a")
    assert count.take("a")
    for address in ("a", "a", "b", None):
        count.give_back(address)
    assert not count._open
    assert all(AddressCount(0).take("a") for _ in range(100))


async def test_an_address_has_so_many_connections_and_others_as_many(
    gateway: RunningGateway,
) -> None:
    one, other = forwarded("9.9.9.9"), forwarded("9.9.9.10")
    async with aiohttp.ClientSession() as session, httpx.AsyncClient() as http:
        sockets = [await session.ws_connect(gateway.url + SOCKET, headers=one) for _ in range(MOST)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(gateway.url + SOCKET, headers=one)
        assert refusal.value.status == 429
        refused = await http.get(gateway.url + POLLING, headers=one)
        assert refused.status_code == 429
        assert refused.json()["message"] == "Too many connections from this address"
        # What strangers write before the proxy's word changes nothing.
        for spoofed in ("1.2.3.4, 9.9.9.9", "127.0.0.1, 9.9.9.9", "x, 9.9.9.9"):
            answer = await http.get(gateway.url + POLLING, headers=forwarded(spoofed))
            assert answer.status_code == 429
        assert (await http.get(gateway.url + POLLING, headers=other)).status_code == 200
        async with connected(gateway, "bob") as bystander:
            assert await bystander.call("unsubscribe:job", "x") == {"ok": True}
        await sockets.pop().close()

        async def is_let_in_again() -> bool:
            answer = await http.get(gateway.url + POLLING, headers=one)
            return answer.status_code == 200

        await eventually(is_let_in_again)
        for socket in sockets:
            await socket.close()


async def test_an_upgrade_does_not_count_twice(gateway: RunningGateway) -> None:
    one = forwarded("9.9.9.9")
    async with aiohttp.ClientSession(headers=one) as session:
        kept = []
        for _ in range(MOST):
            async with session.get(gateway.url + POLLING) as answer:
                sid = json.loads((await answer.text())[1:])["sid"]
            socket = await session.ws_connect(f"{gateway.url}{SOCKET}&sid={sid}")
            await socket.send_str("2probe")
            assert await socket.receive_str() == "3probe"
            await socket.send_str("5")
            kept.append(socket)
        await eventually(
            lambda: sum(each.is_websocket for each in gateway.gateway._endpoint.connections) == MOST
        )
        async with session.get(gateway.url + POLLING) as answer:
            assert answer.status == 429


async def test_connections_from_this_very_machine_are_not_counted(gateway: RunningGateway) -> None:
    async with httpx.AsyncClient() as http:
        for _ in range(3 * MOST):
            assert (await http.get(gateway.url + POLLING)).status_code == 200


def test_a_thousand_is_enough_for_an_office_and_too_few_for_a_flood() -> None:
    assert Settings.model_fields["socket_max_per_address"].default == 1_000


async def test_very_many_who_never_introduce_themselves_are_sent_away_in_time_and_told_why(
    redis_url: str,
) -> None:
    """Some hundred, or with `WHOLE=1` ten thousand, as far as one process may have both ends."""
    allow_many_sockets()
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    silent = min(sized(400, 10_000), (allowed - 500) // 2)
    limits = Limits(introduction_s=1.0)
    assert Limits().introduction_s == 10
    async with (
        running_gateway(redis_url, limits=limits, socket_max_per_address=0) as gateway,
        connected(gateway, "bob") as bystander,
    ):
        before = _resident_bytes()
        goodbyes: list[bytes] = []
        asked = iter(range(silent))

        async def keep_silent() -> None:
            for number in asked:
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(
                    f"GET {SOCKET} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
                )
                waiting.append(asyncio.create_task(_last_words(reader, writer), name=f"{number}"))
                await asyncio.sleep(0)

        waiting: list[asyncio.Task[bytes]] = []
        await asyncio.gather(*(keep_silent() for _ in range(50)))
        assert await bystander.call("unsubscribe:job", "x") == {"ok": True}
        goodbyes = await asyncio.wait_for(asyncio.gather(*waiting), 60)
        assert len(goodbyes) == silent
        assert all(b"introduction_timeout" in each for each in goodbyes)
        await eventually(lambda: [each.user_id for each in gateway.gateway.sessions] == ["bob"])
        assert await bystander.call("unsubscribe:job", "x") == {"ok": True}
        # Our own side of the sockets is in this process, too.
        grown = _resident_bytes() - before
        show("S30", told_why=silent, both_ends_mib=round(grown / MIB, 1))
        assert grown < 32 * MIB + silent * 40_000


async def _last_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    said = b""
    with contextlib.suppress(ConnectionError):
        while b"introduction_timeout" not in said and (data := await reader.read(4_096)):
            said += data
    writer.close()
    return said


async def test_silent_pollers_are_forgotten_as_well(redis_url: str) -> None:
    limits = Limits(introduction_s=0.3, flush_s=0.2)
    async with running_gateway(redis_url, limits=limits) as gateway, httpx.AsyncClient() as http:
        for _ in range(20):
            assert (await http.get(gateway.url + POLLING)).status_code == 200
        await eventually(lambda: not gateway.gateway.sessions)
        await eventually(lambda: not gateway.gateway._endpoint.connections)
        body = "40" + json.dumps({"token": token("ada")})
        opened = await http.get(gateway.url + POLLING)
        sid = json.loads(opened.text[1:])["sid"]
        assert (await http.post(f"{gateway.url}{POLLING}&sid={sid}", content=body)).text == "ok"


def _resident_bytes() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
