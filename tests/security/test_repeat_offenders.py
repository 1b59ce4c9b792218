"""Who comes back only to break the rules again is kept out for a while, and is told so."""

from __future__ import annotations

import json

from careerlens.realtime.offences import MOST
from figures import show
from gateways import RunningGateway
from raw_sockets import asking, frame, introduced
from support import eventually
from tokens import token

MALFORMED = frame(b'451000000-["a",{"_placeholder":true,"num":0}]')
FLOOD = frame(b'42["nothing"]') * 1_000
HUGE = b"\x81\xff" + (50 * 1024 * 1024).to_bytes(8, "big") + bytes(4)


async def offend(gateway: RunningGateway, user: str, data: bytes) -> None:
    async with introduced(gateway.port, user) as client:
        client.writer.write(data)
        code, _ = await client.is_closed()
        assert code in {1008, 1009}


async def answer_to(gateway: RunningGateway, user: str) -> dict[str, str]:
    """What the gateway says to an introduction; empty when the user is let in."""
    async with asking(gateway.port) as (_, client):
        await client.hears("0")
        client.writer.write(frame(b"40" + json.dumps({"token": token(user)}).encode()))
        said = json.loads((await client.hears("4"))[2:])
        return said if "code" in said else {}


async def test_who_offends_again_and_again_is_told_to_stay_away_and_may_come_back_later(
    gateway: RunningGateway,
) -> None:
    offences = [MALFORMED, FLOOD, HUGE]
    for number in range(MOST):
        assert await answer_to(gateway, "mallory") == {}
        await offend(gateway, "mallory", offences[number % len(offences)])

    refusal = await answer_to(gateway, "mallory")

    show("S31: an eleventh time", code=refusal["code"], message=refusal["message"])
    assert refusal["code"] == "too_many_offences"
    assert "try again in 6 s" in refusal["message"]
    assert await answer_to(gateway, "ada") == {}

    async def is_forgiven() -> bool:
        return await answer_to(gateway, "mallory") == {}

    await eventually(is_forgiven, within=20)
    await offend(gateway, "mallory", MALFORMED)
    assert (await answer_to(gateway, "mallory"))["code"] == "too_many_offences"


async def test_who_comes_and_goes_in_order_is_never_kept_out(gateway: RunningGateway) -> None:
    for _ in range(3 * MOST):
        async with introduced(gateway.port, "ada") as client:
            client.writer.write(frame(b"41"))
        assert await answer_to(gateway, "ada") == {}
