"""A token ends while its user is being told things: so does the connection, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from redis.asyncio import Redis

from apis import running_api
from event_streams import listening
from figures import show, sized
from gateways import Client, RunningGateway, connected, running_gateway
from support import eventually
from telling import Teller
from tokens import token

LIVES_S = sized(3, 30)
CLIENTS = sized(5, 50)


async def tell_until(teller: Teller, over_at: float) -> None:
    while time.time() < over_at:
        await teller.tell(["ada"])
        await asyncio.sleep(0.02)


async def test_a_socket_is_closed_and_goes_on_with_a_new_token(
    redis: Redis, redis_url: str
) -> None:
    teller = Teller(redis)
    closed_after: list[float] = []
    heard_after_the_end = 0
    async with running_gateway(redis_url) as gateway:
        expires_at = time.time() + LIVES_S

        async def live_and_come_back() -> None:
            nonlocal heard_after_the_end
            client = Client()
            auth = {"token": token("ada", lives=expires_at - time.time()), "lastEventId": "0-0"}
            await client.connect(gateway, auth)
            await client.is_gone(within=LIVES_S + 30)
            closed_after.append(time.time() - expires_at)
            names = [name for name, _ in client.heard]
            end = names.index("error")
            assert client.heard[end][1]["code"] == "token_expired"
            heard_after_the_end += names[end:].count("job:update")
            seen = [update["id"] for update in client.updates]
            await telling
            assert seen + await heard_from(gateway, teller, seen[-1]) == teller.ids["ada"]

        telling = asyncio.create_task(tell_until(teller, expires_at + 1))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CLIENTS):
                tasks.create_task(live_and_come_back())
    show(
        "J11, sockets",
        clients=CLIENTS,
        entries=len(teller.ids["ada"]),
        closed_after_s=f"{min(closed_after):.2f} to {max(closed_after):.2f}",
        told_after_the_end=heard_after_the_end,
        lost=0,
    )
    assert heard_after_the_end == 0
    # A token's seconds are whole.
    assert min(closed_after) > -1.0
    assert max(closed_after) < 5.0


async def heard_from(gateway: RunningGateway, teller: Teller, last: str) -> list[str]:
    async with connected(gateway, "ada", lastEventId=last) as again:
        await eventually(
            lambda: again.updates and again.updates[-1]["id"] == teller.ids["ada"][-1], within=30
        )
        return [update["id"] for update in again.updates]


async def test_a_stream_ends_and_goes_on_with_a_new_token(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    teller = Teller(redis)
    async with running_api(redis_url, tmp_path) as api:
        expires_at = time.time() + LIVES_S
        telling = asyncio.create_task(tell_until(teller, expires_at + 1))
        async with (
            api.client("ada", lives=LIVES_S) as client,
            listening(client, last_event_id="0-0") as events,
        ):
            told = await events.rest()
            closed_after = time.time() - expires_at
        *updates, (name, farewell) = told
        assert (name, farewell["code"]) == ("closed", "token_expired")
        seen = [update["id"] for _, update in updates]
        await telling
        async with (
            api.client("ada") as client,
            listening(client, last_event_id=seen[-1]) as events,
        ):
            rest = await events.take(len(teller.ids["ada"]) - len(seen))
    show(
        "J11, streams", entries=len(teller.ids["ada"]), closed_after_s=f"{closed_after:.2f}", lost=0
    )
    assert seen + [update["id"] for _, update in rest] == teller.ids["ada"]
    assert -1.0 < closed_after < 5.0
