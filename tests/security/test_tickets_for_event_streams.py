"""No token in an address opens anything; a ticket opens one stream, once, for half a minute."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
from redis.asyncio import Redis

from apis import RunningApi, running_api
from careerlens.api.tickets import TICKET_MS
from event_streams import begun, listening
from figures import show
from job_requests import at, create
from stack import Product
from support import Valkey, eventually
from tokens import SECRET, token

PATH = "/api/jobs/events"


async def ticket_of(client: httpx.AsyncClient) -> str:
    answer = await client.post("/api/tickets")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["expiresInMs"] == TICKET_MS == 30_000
    ticket: str = body["ticket"]
    return ticket


async def test_a_token_in_the_address_opens_nothing(api: RunningApi) -> None:
    async with api.client("user-1") as client:
        job_id = await create(client)
    paths = [
        ("GET", "/api/jobs"), ("POST", "/api/jobs"), ("GET", "/api/jobs/history"),
        ("GET", "/api/job-types"), ("POST", "/api/tickets"), ("GET", PATH),
        ("GET", at(job_id, "status")), ("GET", at(job_id, "events")), ("GET", at(job_id, "stream")),
        ("POST", at(job_id, "cancel")),
    ]  # fmt: skip
    tried = 0
    async with api.client(None) as client:
        for method, path in paths:
            for name in ("token", "access_token", "auth", "authorization", "jwt", "ticket"):
                for value in (token("user-1"), f"Bearer {token('user-1')}"):
                    tried += 1
                    answer = await client.request(method, path, params={name: value})
                    assert answer.status_code in {401, 422}, (method, path, name)
                    assert job_id not in answer.text
    show("S26", tokens_in_addresses=tried, let_in=0)


async def test_a_ticket_opens_one_stream_once(api: RunningApi) -> None:
    async with api.client("user-1") as client, api.client(None) as nobody:
        job_id = await create(client)
        for path in (PATH, at(job_id, "events")):
            ticket = await ticket_of(client)
            async with begun(nobody, f"{path}?ticket={ticket}"):
                pass
            async with nobody.stream("GET", path, params={"ticket": ticket}) as again:
                assert again.status_code == 401
                assert ticket not in (await again.aread()).decode()
    show("S26", tickets=2, opened_once=2, opened_again=0)


async def test_of_many_who_show_one_ticket_one_is_let_in(
    redis_url: str, tmp_path: Path, api: RunningApi
) -> None:
    async with (
        running_api(redis_url, tmp_path) as other,
        api.client("user-1") as client,
        api.client(None) as here,
        other.client(None) as there,
    ):
        for _ in range(5):
            path = f"{PATH}?ticket={await ticket_of(client)}"

            async def knock(visitor: httpx.AsyncClient, path: str = path) -> int:
                async with visitor.stream("GET", path) as answer:
                    return answer.status_code

            codes = await asyncio.gather(*(knock(visitor) for visitor in (here, there) * 5))
            assert sorted(codes) == [200, *[401] * 9]


async def test_a_ticket_shows_its_own_users_jobs_alone(api: RunningApi) -> None:
    async with api.client("user-1") as one, api.client("user-2") as two, api.client(None) as nobody:
        theirs = await create(two)
        ticket = await ticket_of(one)
        answer = await nobody.get(at(theirs, "events"), params={"ticket": ticket})
        assert answer.status_code == 404
        # It decides alone, whoever else the request says it comes from.
        answer = await two.get(at(theirs, "events"), params={"ticket": await ticket_of(one)})
        assert answer.status_code == 404


async def test_a_ticket_is_void_after_half_a_minute(api: RunningApi, redis: Redis) -> None:
    async with api.client("user-1") as client, api.client(None) as nobody:
        ticket = await ticket_of(client)
        (key,) = [key async for key in redis.scan_iter("careerlens:ticket:*")]
        assert 0 < await redis.pttl(key) <= 30_000
        assert ticket not in key
        await redis.pexpire(key, 1)
        await eventually(lambda: _is_gone(redis, key))
        answer = await nobody.get(PATH, params={"ticket": ticket})
        assert answer.status_code == 401
        assert "30 seconds" in answer.json()["detail"]


async def _is_gone(redis: Redis, key: str) -> bool:
    return not await redis.exists(key)


async def test_what_is_no_ticket_opens_nothing(api: RunningApi) -> None:
    async with api.client(None) as nobody, api.client("user-1") as client:
        for ticket in ("", "x", "a" * 43, "a" * 101, "../" * 14 + "x", "*", "\0" * 43):
            for visitor in (nobody, client):
                answer = await visitor.get(PATH, params={"ticket": ticket})
                assert answer.status_code in {401, 422}, ticket


async def test_a_ticket_is_for_streams_of_events_alone(api: RunningApi) -> None:
    async with api.client("user-1") as client, api.client(None) as nobody:
        job_id = await create(client)
        ticket = await ticket_of(client)
        for method, path in (
            ("GET", "/api/jobs"), ("POST", "/api/jobs"), ("POST", "/api/tickets"),
            ("GET", at(job_id, "status")), ("POST", at(job_id, "cancel")),
            ("GET", at(job_id, "stream")),
        ):  # fmt: skip
            answer = await nobody.request(method, path, params={"ticket": ticket})
            assert answer.status_code == 401, path
        async with begun(nobody, f"{PATH}?ticket={ticket}"):
            pass


async def test_what_a_ticket_opens_lasts_no_longer_than_the_token(api: RunningApi) -> None:
    expires = time.time() + 2
    async with api.client("user-1", lives=2) as client, api.client(None) as nobody:
        ticket, late = await ticket_of(client), await ticket_of(client)
        async with listening(nobody, f"{PATH}?ticket={ticket}") as events:
            ((name, data),) = await events.rest()
        assert (name, data["code"]) == ("closed", "token_expired")
        assert expires - 1 <= time.time()
        assert (await nobody.get(PATH, params={"ticket": late})).status_code == 401


async def test_no_log_and_no_referrer_tells_a_ticket(
    tmp_path: Path, valkey_server: Valkey, redis_url: str
) -> None:
    product = Product(
        tmp_path, redis_url, CAREERLENS_ENV="production", JWT_SECRET=SECRET.decode(),
        LOG_LEVEL="debug", API_HOST="127.0.0.1",
    )  # fmt: skip
    headers = {"authorization": f"Bearer {token('user-1')}"}
    async with (
        product.running("api"),
        httpx.AsyncClient(base_url=product.url, headers=headers, trust_env=False) as client,
        httpx.AsyncClient(base_url=product.url, timeout=20, trust_env=False) as nobody,
    ):
        used, wrong = await ticket_of(client), await ticket_of(client)
        async with begun(nobody, f"{PATH}?ticket={used}") as events:
            assert events.response.headers["referrer-policy"] == "no-referrer"
        assert (await nobody.get(PATH, params={"ticket": used})).status_code == 401
        await nobody.get(f"/api/jobs?ticket={wrong}")
        await nobody.get(f"/api/jobs/%ff/events?ticket={wrong}")
    log = product.log("api")
    assert "/api/jobs/events" in log
    assert used not in log
    assert wrong not in log
