"""One user cannot hold every connection of the API with event streams."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx

from apis import RunningApi
from careerlens.api.streaming import MAX_STREAMS
from careerlens.api.tickets import TICKETS_AT_ONCE
from job_requests import at, create
from support import eventually


async def test_streams_of_a_user_are_counted_and_given_back(api: RunningApi) -> None:
    async with api.client("user-1") as client, api.client("user-2") as other:
        path = at(await create(client), "events")
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=api.url, headers=client.headers, limits=limits, timeout=20
        ) as greedy:
            async with AsyncExitStack() as streams:
                for _ in range(MAX_STREAMS):
                    stream = await streams.enter_async_context(greedy.stream("GET", path))
                    assert stream.status_code == 200
                refused = await client.get(path)
                assert refused.status_code == 429
                assert refused.json()["type"] == "/problems/too-many-streams"
                assert int(refused.headers["retry-after"]) > 0
                assert (await client.get("/api/jobs/events")).status_code == 429
                ticket = (await client.post("/api/tickets")).json()["ticket"]
                by_ticket = f"/api/jobs/events?ticket={ticket}"
                async with api.client(None) as nobody:
                    assert (await nobody.get(by_ticket)).status_code == 429
                assert (await client.get("/api/jobs")).status_code == 200
                theirs = at(await create(other), "events")
                async with other.stream("GET", theirs) as stream:
                    assert stream.status_code == 200

            async def is_let_in_again() -> bool:
                async with greedy.stream("GET", path) as stream:
                    return stream.status_code == 200

            await eventually(is_let_in_again)


async def test_a_refused_stream_takes_no_place(api: RunningApi) -> None:
    async with api.client("user-1") as client:
        for _ in range(MAX_STREAMS + 1):
            assert (await client.get(at("no-such", "events"))).status_code == 404
        path = at(await create(client), "events")
        async with client.stream("GET", path) as stream:
            assert stream.status_code == 200


async def test_tickets_of_a_user_are_rationed(api: RunningApi) -> None:
    async with api.client("user-1") as client, api.client("user-2") as other:
        got = 0
        while (answer := await client.post("/api/tickets")).status_code == 201:
            got += 1
            assert got < 10 * TICKETS_AT_ONCE
        # Some more came while these were asked for.
        assert got >= TICKETS_AT_ONCE
        assert answer.status_code == 429
        assert answer.json()["type"] == "/problems/too-many-tickets"
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert (await other.post("/api/tickets")).status_code == 201
        assert (await client.get("/api/jobs")).status_code == 200

        async def is_given_one_again() -> bool:
            return (await client.post("/api/tickets")).status_code == 201

        await eventually(is_given_one_again)
