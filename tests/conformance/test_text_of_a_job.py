"""`ctx.stream`: from the handler, through the job's own stream, to whoever reads it over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from apis import RunningApi, running_api, running_worker
from careerlens.jobs.keys import text_key
from careerlens.jobs.streams import MAX_TEXT_BYTES, TEXT_SECONDS
from careerlens.realtime.relay import Relay
from faults import fault_proxy
from job_requests import at, create, reaches, status
from support import Valkey, eventually
from text_jobs import REGISTRY, events, read, whole_text

PIECES = ["Dear ", "reader,\n", "\n", " the answer\r", "\nis 42 – ", "🦉", "\u2028", "end\r"]
TEXT = "Dear reader,\n\n the answer\nis 42 – 🦉\u2028end\n"
HOPELESS_OFFSETS = ["", "1", "0-0", "a,b", "a b", "0000000000000001_000000000000000x", "-2", "NOW"]


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[RunningApi]:
    relaying = asyncio.create_task(Relay(redis_url, REGISTRY).run())
    async with running_api(redis_url, tmp_path, registry=REGISTRY) as running:
        yield running
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)


@pytest.fixture
async def worker(api: RunningApi, redis_url: str, tmp_path: Path) -> AsyncIterator[None]:
    async with running_worker(redis_url, tmp_path, registry=REGISTRY):
        yield


async def written(client: httpx.AsyncClient, job_id: str, text: str) -> httpx.Response:
    """The answer that has all of `text`."""

    async def there() -> httpx.Response:
        response = await read(client, job_id)
        assert response.text == text
        return response

    return await eventually(there, within=30)


async def test_a_reader_from_the_beginning_gets_every_character(
    client: httpx.AsyncClient, redis_url: str, tmp_path: Path
) -> None:
    job_id = await create(client, type="story", pieces=PIECES)
    reading = asyncio.create_task(whole_text(client, job_id))
    async with running_worker(redis_url, tmp_path, registry=REGISTRY):
        assert await asyncio.wait_for(reading, 30) == TEXT
    await reaches(client, job_id, "completed")
    assert (await read(client, job_id)).text == TEXT


@pytest.mark.usefixtures("worker")
async def test_a_late_reader_gets_the_text_so_far_and_then_what_comes(
    client: httpx.AsyncClient,
) -> None:
    job_id = await create(client, type="story", pieces=["so far"], ending="never")
    so_far = await written(client, job_id, "so far")
    assert so_far.headers["stream-up-to-date"] == "true"
    assert "stream-closed" not in so_far.headers
    async with events(client, job_id) as found:
        assert (await anext(found)).data == "so far"
        assert (await anext(found)).control["streamNextOffset"] == (
            so_far.headers["stream-next-offset"]
        )
        await client.post(at(job_id, "cancel"))
        last = [event async for event in found]
    assert last[-1].control["streamClosed"] is True
    assert "streamCursor" not in last[-1].control


@pytest.mark.usefixtures("worker")
async def test_a_cancelled_job_keeps_its_text_and_closes_it(client: httpx.AsyncClient) -> None:
    job_id = await create(client, type="story", pieces=["half an ans"], ending="never")
    end = (await written(client, job_id, "half an ans")).headers["stream-next-offset"]
    waiting = asyncio.create_task(read(client, job_id, end, live="long-poll"))
    await client.post(at(job_id, "cancel"))
    answer = await waiting
    assert (answer.status_code, answer.headers["stream-closed"]) == (204, "true")
    assert (await read(client, job_id)).text == "half an ans"


@pytest.mark.usefixtures("worker")
async def test_a_failed_job_closes_its_text(client: httpx.AsyncClient) -> None:
    job_id = await create(client, type="story", pieces=["so much for"], ending="badly")
    assert await whole_text(client, job_id) == "so much for"
    assert (await status(client, job_id))["status"] == "failed"


async def test_the_text_of_a_job_that_was_cancelled_in_line_is_empty_and_closed(
    client: httpx.AsyncClient,
) -> None:
    job_id = await create(client, type="story", pieces=["never written"])
    open_still = await read(client, job_id)
    assert (open_still.text, "stream-closed" in open_still.headers) == ("", False)
    reading = asyncio.create_task(whole_text(client, job_id))
    await client.post(at(job_id, "cancel"))
    assert await reading == ""
    assert (await read(client, job_id)).headers["stream-closed"] == "true"


@pytest.mark.usefixtures("worker")
async def test_another_attempt_begins_the_text_afresh(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    job_id = await create(client, type="story", pieces=["attempt"], ending="second attempt")
    await reaches(client, job_id, "completed")
    now = await read(client, job_id)
    assert now.text == "attempt!"
    epoch, _, position = now.headers["stream-next-offset"].partition("_")
    before = f"{int(epoch) - 1:016d}_{position}"
    for query in ({}, {"live": "long-poll"}, {"live": "sse"}):
        gone = await read(client, job_id, before, **query)
        assert (gone.status_code, gone.json()["type"]) == (410, "/problems/text-gone")


@pytest.mark.usefixtures("worker")
async def test_what_an_attempt_before_the_last_wrote_is_not_the_text_of_a_silent_one(
    client: httpx.AsyncClient,
) -> None:
    job_id = await create(client, type="silent-on-retry", pieces=["forget me"])
    await reaches(client, job_id, "completed")
    assert (await read(client, job_id)).text == ""


@pytest.mark.usefixtures("worker")
async def test_a_handler_in_a_process_of_its_own_writes_too(client: httpx.AsyncClient) -> None:
    job_id = await create(client, type="story-apart", pieces=PIECES)
    assert await whole_text(client, job_id) == TEXT


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("job_type", ["story", "story-apart"])
async def test_a_job_that_writes_too_much_fails_and_says_so(
    client: httpx.AsyncClient, job_type: str
) -> None:
    piece = "x" * (MAX_TEXT_BYTES // 4)
    job_id = await create(client, type=job_type, pieces=[piece], times=5)
    failed = await reaches(client, job_id, "failed")
    assert failed["errorCode"] == "stream_too_long"
    assert (await read(client, job_id)).text == piece * 4


@pytest.mark.usefixtures("worker")
async def test_text_stays_out_of_the_events_of_the_queue_and_of_the_feed_and_expires(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    lengths = []
    for pieces in ([], ["word "] * 200):
        job_id = await create(client, type="story", pieces=pieces)
        await reaches(client, job_id, "completed")
        lengths.append(await redis.xlen("bull:story:events"))
    assert lengths[1] == 2 * lengths[0]
    key = text_key("user-1", job_id)
    assert await redis.xlen(key) < 10  # coalesced
    assert TEXT_SECONDS - 60 < await redis.ttl(key) <= TEXT_SECONDS


@pytest.mark.usefixtures("worker")
async def test_a_stranger_finds_no_text_where_there_is_one(
    api: RunningApi, client: httpx.AsyncClient
) -> None:
    job_id = await create(client, type="story", pieces=["private"])
    await reaches(client, job_id, "completed")
    async with api.client("user-12") as stranger, api.client(None) as nobody:
        for query in ({}, {"live": "long-poll"}, {"live": "sse"}):
            answer = await read(stranger, job_id, **query)
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/job-not-found")
            assert (await read(nobody, job_id, **query)).status_code == 401
        assert (await stranger.head(at(job_id, "stream"))).status_code == 404
        assert (await nobody.head(at(job_id, "stream"))).status_code == 401


@pytest.mark.parametrize("offset", HOPELESS_OFFSETS)
async def test_what_is_no_offset_is_refused(client: httpx.AsyncClient, offset: str) -> None:
    job_id = await create(client, type="story", pieces=[])
    assert (await read(client, job_id, offset)).status_code == 400


async def test_what_the_protocol_does_not_allow_is_refused(client: httpx.AsyncClient) -> None:
    job_id = await create(client, type="story", pieces=[])
    for query in ("live=sse", "live=long-poll", "offset=-1&live=poll", "offset=-1&offset=-1"):
        assert (await client.get(f"{at(job_id, 'stream')}?{query}")).status_code == 400


@pytest.mark.usefixtures("worker")
async def test_an_unchanged_text_is_not_sent_again(client: httpx.AsyncClient) -> None:
    job_id = await create(client, type="story", pieces=["the same"])
    await reaches(client, job_id, "completed")
    tag = (await read(client, job_id)).headers["etag"]
    again = await client.get(at(job_id, "stream"), headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_reply_that_is_lost_on_the_way_doubles_no_word(
    client: httpx.AsyncClient, valkey_server: Valkey, tmp_path: Path
) -> None:
    async with fault_proxy(valkey_server.port) as proxy:
        proxy.lose_reply_of(b"once and only once", times=2)
        async with running_worker(proxy.url, tmp_path, registry=REGISTRY):
            job_id = await create(client, type="story", pieces=["once and only once"])
            await reaches(client, job_id, "completed")
        assert proxy.lost == 2
    assert (await read(client, job_id)).text == "once and only once"


async def test_a_handler_writes_on_across_lost_connections(
    client: httpx.AsyncClient, valkey_server: Valkey, tmp_path: Path
) -> None:
    words = "many words " * 3000
    async with fault_proxy(valkey_server.port) as proxy:
        proxy.lose_reply_of(b"many words", times=5)
        async with running_worker(proxy.url, tmp_path, registry=REGISTRY):
            job_id = await create(client, type="story", pieces=[words], times=10)
            await reaches(client, job_id, "completed")
        assert proxy.lost == 5
    assert (await read(client, job_id)).text == words * 10
